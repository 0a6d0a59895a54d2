"""Dependencies: every imported package is declared, and every declared one is imported or needed."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from omnistack.prove.code import Code, Module
from omnistack.prove.distributions import NEEDED, candidates, requirement_name
from omnistack.prove.facts import Import
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions
from omnistack.prove.tree import File
from omnistack.template.catalog import CATALOG_DIR

PYPROJECT = "pyproject.toml"
DEV = "dev"
SHIPPED = ("app", "migrations")
"""Packages that run in production, without development dependencies."""


@dataclass(frozen=True)
class Declared:
    """A requirement in `pyproject.toml`."""

    name: str
    extras: frozenset[str]
    group: str
    """The dependency group, or empty if it is installed in production."""
    line: int
    cond: Cond

    @property
    def dev(self) -> bool:
        """Whether it is for development only."""
        return bool(self.group)

    def serves(self, folder: str) -> bool:
        """Return whether code in a folder may import it: a tool's group is installed for its folder alone."""
        return self.group in {"", DEV, folder}


def check_dependencies(code: Code, report: Report) -> None:
    """Check imports against `pyproject.toml`, both ways."""
    file = code.tree.files.get(PYPROJECT)
    if file is None:
        report(PYPROJECT, 1, "there is no pyproject.toml", code.tree.valid)
        return
    declared = list(read_requirements(file, report))
    by_name: dict[str, list[Declared]] = {}
    for requirement in declared:
        by_name.setdefault(requirement.name, []).append(requirement)
    for module in code:
        shipped = module.name.split(".")[0] in SHIPPED
        for found in module.facts.foreign:
            _check_import(module, found, by_name, shipped=shipped, report=report)
    for name, need in NEEDED.items():
        there = code.space.union(each.cond for each in declared if each.name == name and (need.dev or not each.dev))
        message = f"{name} is required but not declared: {need.reason}"
        report(file.source, 1, message, _needed(code, name) & ~there)
    imported = _imported(code)
    for requirement in declared:
        used = imported[(requirement.name, True)] | _needed(code, requirement.name)
        if requirement.dev:
            used = used | imported[(requirement.name, False)]
        unused = requirement.cond & ~used
        where, line = _declaration(code, requirement)
        report(where, line, f"{requirement.name} is declared, but nothing imports or needs it", unused)
        if requirement.dev:
            at_run_time = code.space.union(each.cond for each in by_name[requirement.name] if not each.dev)
            twice = requirement.cond & at_run_time
            report(where, line, f"{requirement.name} is declared for development, and as a dependency as well", twice)


def read_requirements(file: File, report: Report) -> Iterator[Declared]:
    """Yield the requirements of a `pyproject.toml`, each with its condition."""
    table, key = "", ""
    for number, line in enumerate(file.lines, start=1):
        text = line.text.strip()
        if text.startswith("["):
            table, key = text.strip("[] "), ""
        elif match := re.match(r"([\w-]+)\s*=\s*\[$", text):
            key = match[1]
        elif text == "]":
            key = ""
        elif (
            text
            and not text.startswith("#")
            and ((table, key) == ("project", "dependencies") or (table == "dependency-groups" and key))
        ):
            try:
                (requirement,) = tomllib.loads(f"x = [{text}]")["x"]
                parsed = Requirement(requirement)
            except (tomllib.TOMLDecodeError, InvalidRequirement, ValueError):
                report(file.source, line.number, f"{text} is not a valid requirement", line.cond)
                continue
            name = str(canonicalize_name(parsed.name))
            yield Declared(name, frozenset(parsed.extras), "" if table == "project" else key, number, line.cond)


def _check_import(
    module: Module, found: Import, declared: dict[str, list[Declared]], *, shipped: bool, report: Report
) -> None:
    names = candidates(f"{found.module}.{found.name}" if found.name else found.module)
    # Code for development may import development tools, inside functions only.
    lax = not shipped or found.guarded or (module.name.startswith("app.dev.") and not found.top)
    missing = module.at(found.lines)
    for name, extra in names:
        for requirement in declared.get(name, ()):
            fits = requirement.serves(module.name.split(".")[0]) and (lax or not requirement.dev)
            if fits and (extra is None or extra in requirement.extras):
                missing = missing & ~requirement.cond
    kind = "as a dependency" if shipped else "as a dependency or for development"
    message = f"imports {found.module}, but {names[0][0]} is not declared {kind}"
    report(module.file.source, module.file.where(found.lines[-1]), message, missing)


def _imported(code: Code) -> Conditions[tuple[str, bool]]:
    """Return the condition under which each distribution is imported, and whether by what is shipped."""
    found = Conditions[tuple[str, bool]](code.space)
    for module in code:
        shipped = module.name.split(".")[0] in SHIPPED
        for each in module.facts.foreign:
            for name, _ in candidates(f"{each.module}.{each.name}" if each.name else each.module):
                known = found[(name, shipped)]
                found[name, shipped] = known | module.at(each.lines)
    return found


def _needed(code: Code, name: str) -> Cond:
    need = NEEDED.get(name)
    if need is None:
        return code.space.nothing
    return code.space.union(
        line.cond
        for path, file in code.tree.files.items()
        if path.startswith(need.under)
        for line in file.matching(need.pattern)
        if not line.text.strip().startswith('"')
    )


def _declaration(code: Code, requirement: Declared) -> tuple[str, int]:
    for piece in code.tree.model.pieces.values():
        tools = [text for tool in piece.tools if tool.name == requirement.group for text in tool.dependencies]
        texts = {"": piece.dependencies, DEV: piece.dev_dependencies}.get(requirement.group, tools)
        for text in texts:
            if requirement_name(text) == requirement.name:
                path = f"{CATALOG_DIR}/{piece.name}.yml"
                lines = code.tree.model.source.text(path).splitlines()
                return path, next((number for number, line in enumerate(lines, 1) if text in line), 1)
    file = code.tree.files[PYPROJECT]
    return file.source, file.where(requirement.line)
