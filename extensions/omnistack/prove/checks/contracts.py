"""import-linter's contracts: each module has one, which forbids what the module does not require."""

import re
from dataclasses import dataclass

from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions
from omnistack.prove.tree import File
from omnistack.template.catalog import Piece

PYPROJECT = "pyproject.toml"
MODULE = re.compile(r'"(app(?:\.\w+)*)"')


@dataclass
class Contract:
    """A contract that forbids imports."""

    cond: Cond
    line: int
    sources: Conditions[str]
    forbidden: Conditions[str]


class Contracts:
    """All contracts that a project may have."""

    def __init__(self, code: Code, file: File) -> None:
        self.code = code
        self.file = file
        self.contracts = list(_read(code, file))
        pieces = code.tree.model.pieces.values()
        self.pieces: dict[str, Piece] = {f"app.{piece.module}": piece for piece in pieces if piece.module}

    def holding(self, source: str) -> Cond:
        """Return the condition under which a contract limits what a module may import."""
        return self.code.space.union(each.cond & each.sources[source] for each in self.contracts)

    def forbidding(self, source: str, target: str) -> Cond:
        """Return the condition under which a contract forbids an import."""
        return self.code.space.union(
            each.cond & each.sources[source] & each.forbidden[target] for each in self.contracts
        )

    def required(self, source: str, target: str) -> bool:
        """Return whether a module may import another one."""
        piece = self.pieces.get(source)
        return piece is not None and self.pieces[target].name in (*piece.requires, piece.name)


def check_contracts(code: Code, report: Report) -> None:
    """Check the contracts against the rendered modules and the requirements of each."""
    file = code.tree.files.get(PYPROJECT)
    if file is None:
        return
    contracts = Contracts(code, file)
    for contract in contracts.contracts:
        for name, cond in (*contract.sources.items(), *contract.forbidden.items()):
            message = f"a contract names {name}, which does not exist"
            report(file.source, contract.line, message, contract.cond & cond & ~code.exists(name))
    _check_imports(code, contracts, report)
    for source in contracts.pieces:
        here = code.exists(source)
        report(file.source, 1, f"no contract covers {source}", here & ~contracts.holding(source))
        for target in contracts.pieces:
            both, forbidden = here & code.exists(target), contracts.forbidding(source, target)
            if contracts.required(source, target):
                report(
                    file.source,
                    1,
                    f"a contract forbids {source} to import {target}, which it requires",
                    both & forbidden,
                )
            else:
                report(
                    file.source,
                    1,
                    f"no contract forbids {source} to import {target}, which it does not require",
                    both & ~forbidden,
                )


def _check_imports(code: Code, contracts: Contracts, report: Report) -> None:
    """Check that no module imports what its own contract forbids: import-linter would fail in the rendered project."""
    for module in code:
        source = _package(module.name)
        for found in module.facts.imports if source in contracts.pieces else ():
            target = _package(found.module)
            if target != source and target in contracts.pieces:
                here = module.at(found.lines) & contracts.forbidding(source, target)
                report(
                    module.file.source,
                    module.file.where(found.lines[-1]),
                    f"imports {target}, which the module's contract forbids",
                    here,
                )


def _package(name: str) -> str:
    return ".".join(name.split(".")[:2])


def _read(code: Code, file: File) -> list[Contract]:
    found: list[Contract] = []
    key = ""
    inside = False
    for number, line in enumerate(file.lines, start=1):
        text = line.text.strip()
        if text.startswith("[["):
            inside = text == "[[tool.importlinter.contracts]]"
            if inside:
                found.append(Contract(line.cond, file.where(number), Conditions(code.space), Conditions(code.space)))
        elif text.startswith("["):
            inside = False
        if not inside:
            continue
        match = re.match(r"(\w+)\s*=", text)
        key = match[1] if match else key
        names = {"source_modules": found[-1].sources, "forbidden_modules": found[-1].forbidden}.get(key)
        for name in MODULE.findall(text) if names is not None else ():
            if names is not None:
                names.add(name, line.cond)
    return found
