"""The revision files in `migrations/versions`, read without importing Alembic or running them."""

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VERSIONS: Final = Path(__file__).resolve().parents[3] / "migrations" / "versions"
_FIELDS: Final = frozenset({"revision", "down_revision", "branch_labels", "depends_on"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionFile:
    """One revision, as its file declares it.

    Attributes:
        parents: the revisions that have to be applied before it, as ids or branch labels.
    """

    id: str
    parents: tuple[str, ...]
    labels: tuple[str, ...]
    path: Path


def read_revision_files(versions: Path = VERSIONS) -> list[RevisionFile]:
    """Return every revision, ordered by path. Files without a `revision` are left out."""
    found = []
    for path in sorted(versions.glob("*/*.py")):
        values = _assigned(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        if ids := _strings(values.get("revision")):
            parents = _strings(values.get("down_revision")) + _strings(values.get("depends_on"))
            labels = _strings(values.get("branch_labels"))
            found.append(RevisionFile(id=ids[0], parents=parents, labels=labels, path=path))
    return found


def pending_revisions(files: Iterable[RevisionFile], heads: Collection[str]) -> list[str]:
    """Return the ids of the revisions that a database with these heads lacks."""
    files = list(files)
    by_name = {file.id: file for file in files} | {label: file for file in files for label in file.labels}
    waiting = [by_name[head] for head in heads if head in by_name]
    applied = set[str]()
    while waiting:
        file = waiting.pop()
        if file.id not in applied:
            applied.add(file.id)
            # `core@head` names a branch as well.
            names = (parent.partition("@")[0] for parent in file.parents)
            waiting.extend(by_name[name] for name in names if name in by_name)
    return [file.id for file in files if file.id not in applied]


def _assigned(module: ast.Module) -> dict[str, object]:
    values: dict[str, object] = {}
    for node in module.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _FIELDS:
                values[target.id] = ast.literal_eval(value)
    return values


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list | tuple | set) else ()
