"""Tables and migrations: every target of a foreign key and of `depends_on` exists before it is needed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from omnistack.prove.checks.manifest import manifests
from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Lines
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions

FOLDER = "migrations/versions/"
CORE, USER = "core", "app"
COLUMN = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")


@dataclass(frozen=True, eq=False)
class Revision:
    """One file of migrations."""

    id: str
    branch: str
    """The name of its folder."""
    before: tuple[str, ...]
    """The revisions that `down_revision` and `depends_on` name."""
    first: bool
    labels: tuple[str, ...]
    creates: frozenset[str]
    targets: tuple[tuple[str, Lines], ...]
    module: Module

    @property
    def cond(self) -> Cond:
        """The condition under which it is rendered."""
        return self.module.file.cond


def check_migrations(code: Code, report: Report) -> None:
    """Check models against migrations, and migrations against each other."""
    revisions = {revision.id: revision for revision in map(_read, _files(code)) if revision is not None}
    for module in _files(code):
        if _read(module) is None:
            report(module.file.source, 1, "defines no revision", module.file.cond)
    _check_models(code, revisions, report)
    for revision in revisions.values():
        _check_revision(code, revision, revisions, report)
    _check_heads(revisions, report)
    there = dict(manifests(code))
    for revision in revisions.values():
        if revision.branch != USER:
            missing = revision.cond & ~there.get(revision.branch, code.space.nothing)
            report(revision.module.file.source, 1, f"there is no module {revision.branch}", missing)


def _files(code: Code) -> list[Module]:
    return [module for module in code if module.file.path.startswith(FOLDER) and module.file.name != "__init__.py"]


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else ()


def _read(module: Module) -> Revision | None:
    values = {name: value for name, (value, _) in module.facts.values.items()}
    if not isinstance(values.get("revision"), str):
        return None
    creates = {call.texts[0] for call in module.facts.calls if call.function.endswith("create_table") and call.texts}
    targets: list[tuple[str, Lines]] = []
    for call in module.facts.calls:
        if call.function.rpartition(".")[2] in {"ForeignKeyConstraint", "ForeignKey", "create_foreign_key"}:
            targets.extend((text.split(".")[0], call.lines) for text in call.texts if COLUMN.match(text))
    return Revision(
        str(values["revision"]),
        module.file.path.removeprefix(FOLDER).split("/")[0],
        (*_names(values.get("down_revision")), *_names(values.get("depends_on"))),
        values.get("down_revision") is None,
        _names(values.get("branch_labels")),
        frozenset(creates),
        tuple(targets),
        module,
    )


def _ancestors(revision: Revision, revisions: dict[str, Revision]) -> set[str]:
    seen: set[str] = set()
    pending = list(revision.before)
    while pending:
        name = pending.pop()
        if name not in seen and name in revisions:
            seen.add(name)
            pending.extend(revisions[name].before)
    return seen


def _check_revision(code: Code, revision: Revision, revisions: dict[str, Revision], report: Report) -> None:
    source, nothing = revision.module.file.source, code.space.nothing
    for name in revision.before:
        there = revisions[name].cond if name in revisions else nothing
        report(source, 1, f"follows {name}, which does not exist", revision.cond & ~there)
    ancestors = _ancestors(revision, revisions)
    if revision.id in ancestors:
        report(source, 1, "follows itself", revision.cond)
    made = {table for name in ancestors for table in revisions[name].creates} | revision.creates
    for table, lines in revision.targets:
        if table not in made:
            message = f"refers to the table {table}, which no earlier revision creates"
            report(source, revision.module.file.where(lines[-1]), message, revision.cond)
    if revision.first and revision.branch not in revision.labels:
        report(
            source,
            1,
            f"the first revision of {revision.branch} lacks the branch label {revision.branch}",
            revision.cond,
        )
    if not revision.first and revision.labels:
        report(source, 1, "has a branch label, although it is not the first revision of its branch", revision.cond)
    if revision.first:
        required = _required(code, revision.branch)
        for branch in required - {revisions[name].branch for name in ancestors}:
            report(source, 1, f"does not depend on the migrations of {branch}", revision.cond)
        for branch in {revisions[name].branch for name in revision.before if name in revisions} - required:
            message = f"depends on the migrations of {branch}, which its piece does not require"
            report(source, 1, message, revision.cond)


def _required(code: Code, branch: str) -> set[str]:
    """Name the branches that a module's first revision must follow: of the core, and of what its piece requires."""
    if branch == CORE:
        return set()
    branches = {module.file.path.removeprefix(FOLDER).split("/")[0] for module in _files(code)}
    pieces = code.tree.model.pieces
    pending = [name for piece in pieces.values() if piece.module == branch for name in piece.requires]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in seen and name in pieces:
            seen.add(name)
            pending.extend(pieces[name].requires)
    return ({CORE} | {str(pieces[name].module) for name in seen}) & branches


def _check_heads(revisions: dict[str, Revision], report: Report) -> None:
    """Check that each branch is linear: one first revision, one last."""
    branches = {revision.branch for revision in revisions.values()}
    for branch in branches:
        mine = [revision for revision in revisions.values() if revision.branch == branch]
        followed = {name for revision in mine for name in revision.before}
        for kind, some in (
            ("first", [revision for revision in mine if revision.first]),
            ("last", [revision for revision in mine if revision.id not in followed]),
        ):
            for revision in some[1:]:
                report(revision.module.file.source, 1, f"{branch} has a second {kind} revision", revision.cond)
            if not some:
                report(mine[0].module.file.source, 1, f"{branch} has no {kind} revision", mine[0].cond)


def _check_models(code: Code, revisions: dict[str, Revision], report: Report) -> None:
    tables = Conditions[str](code.space)
    made = Conditions[str](code.space)
    for revision in revisions.values():
        for table in revision.creates:
            made.add(table, revision.cond)
    models = [(module, each) for module in code for each in module.facts.classes if "table=True" in each.keywords]
    models = [(module, each) for module, each in models if module.name.startswith("app.")]
    for module, each in models:
        table = each.tablename or each.name.lower()
        tables.add(table, module.at(each.lines))
        missing = module.at(each.lines) & ~made[table]
        line = module.file.where(each.lines[-1])
        report(module.file.source, line, f"no revision creates the table {table}", missing)
    for revision in revisions.values():
        for table in revision.creates:
            message = f"creates the table {table}, which no model describes"
            report(revision.module.file.source, 1, message, revision.cond & ~tables[table])
    for module, table, lines in _references(code):
        missing = module.at(lines) & ~tables[table]
        line = module.file.where(lines[-1])
        report(module.file.source, line, f"refers to the table {table}, which does not exist", missing)


def _references(code: Code) -> Iterator[tuple[Module, str, Lines]]:
    for module in code:
        for call in module.facts.calls if module.name.startswith("app.") else ():
            texts = [text for name, found in call.keyword_texts if name == "foreign_key" for text in found]
            if call.function.rpartition(".")[2] in {"ForeignKey", "ForeignKeyConstraint"}:
                texts.extend(text for text in call.texts if COLUMN.match(text))
            yield from ((module, text.split(".")[0], call.lines) for text in texts)
