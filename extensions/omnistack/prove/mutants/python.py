"""Faults in Python files."""

import ast
import re

from omnistack.prove.checks.fixtures import fixture_name
from omnistack.prove.checks.manifest import is_manifest
from omnistack.prove.checks.module_files import may_stand
from omnistack.prove.checks.settings import settings_classes
from omnistack.prove.code import Code, Module, in_module
from omnistack.prove.mutants.base import Mutant, Mutants, replace_line
from omnistack.prove.proof import Proof

SOURCE_OF_ALL = ("app/main.py", "tests/conftest.py")
"""Files of every project that get faults which only some projects show."""


def python_mutants(proof: Proof) -> Mutants:
    """Make all faults in Python."""
    code = proof.code
    if code is None:
        return
    yield from _foreign_imports(proof, code)
    yield from _renamed(code)
    yield from _settings(code)
    yield from _manifests(code)
    yield from _strays(code)
    yield from _fixtures(code)
    yield from _lost_files(proof, code)
    yield from _imports(code)


def _template(module: Module) -> str:
    return module.file.source


def _static(module: Module) -> bool:
    return not module.file.source.endswith(".jinja")


def _foreign_imports(proof: Proof, code: Code) -> Mutants:
    """Import, in files of every project, modules that only some projects have and packages that are not declared."""
    for path in SOURCE_OF_ALL:
        file = code.tree.files.get(path)
        if file is None:
            continue
        text = proof.source.text(file.source)
        yield Mutant("import undeclared", path, {file.source: f"{text}\nimport not_declared_anywhere\n"})
        for piece in code.tree.model.pieces.values():
            names = [
                module.name for module in code if module.file.cond != code.tree.valid and _belongs(module, piece.paths)
            ]
            for name in names[:1]:
                yield Mutant("import optional", f"{name} in {path}", {file.source: f"{text}\nimport {name}\n"})
                package, _, last = name.rpartition(".")
                late = f"{text}\n\ndef late() -> None:\n    from {package} import {last}\n"
                yield Mutant("import optional in a function", f"{name} in {path}", {file.source: late})


def _belongs(module: Module, paths: list[str]) -> bool:
    return any(module.file.path == path or module.file.path.startswith(f"{path}/") for path in paths)


def _renamed(code: Code) -> Mutants:
    """Rename, in each folder, the first definition that another file imports."""
    wanted: dict[str, str] = {}
    for module in code:
        for each in module.facts.imports:
            holder = code.modules.get(each.module)
            if each.name and holder and each.name in holder.facts.names and not _is_import(holder, each.name):
                wanted.setdefault(holder.name, each.name)
    folders: set[str] = set()
    for module_name, name in sorted(wanted.items()):
        module = code.modules[module_name]
        folder = module.file.path.rpartition("/")[0]
        if not _static(module) or folder in folders:
            continue
        folders.add(folder)
        text = module.file.text
        for lines in module.facts.names[name]:
            old = text.split("\n")[lines[-1] - 1]
            text = replace_line(text, lines[-1], re.sub(rf"\b{name}\b", f"{name}_renamed", old, count=1))
        yield Mutant("rename definition", f"{module_name}.{name}", {_template(module): text})


def _is_import(module: Module, name: str) -> bool:
    return any(each.bound == name for each in module.facts.imports)


def _settings(code: Code) -> Mutants:
    """Drop each field of a settings class, and rename it."""
    for module, each in settings_classes(code):
        for name, lines in each.fields:
            if name.isupper() and _static(module):
                node = _statement(module.file.text, lines[-1])
                rows = module.file.text.split("\n")
                without = "\n".join([*rows[: node.lineno - 1], "    pass", *rows[node.end_lineno or node.lineno :]])
                yield Mutant("drop setting's field", name, {_template(module): without})
                new = replace_line(module.file.text, lines[-1], rows[lines[-1] - 1].replace(name, f"{name}_X", 1))
                yield Mutant("rename setting's field", name, {_template(module): new})


def _statement(text: str, line: int) -> ast.stmt:
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.AnnAssign) and node.lineno == line]
    return found[0]


def _manifests(code: Code) -> Mutants:
    """Drop each field of each manifest, and each entry of a field that lists several."""
    for module in code:
        if not any(is_manifest(call.function) for call in module.facts.calls) or not _static(module):
            continue
        text = module.file.text
        if not module.name.startswith("app."):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and is_manifest(node.func.id):
                for pair in node.keywords:
                    # A flag registers nothing that could be lost.
                    if pair.arg not in {"name", None} and not isinstance(pair.value, ast.Constant):
                        new = _without(text, pair)
                        yield Mutant("drop from manifest", f"{module.name} {pair.arg}", {_template(module): new})


STRAYS = {
    "table": "class Stray(SQLModel, table=True):\n    __tablename__ = 'strays'\n",
    "router": "router = APIRouter()\n",
    "settings class": "class StraySettings(ModuleSettings):\n    pass\n",
    "dependency": "StrayDep = int\n",
    "command": "@click.command()\ndef stray():\n    pass\n",
    "event": "class Stray(Event):\n    pass\n",
    "data policy": "STRAY = RetentionRule()\n",
}
STRAY_IMPORTS = {
    "table": "from sqlmodel import SQLModel",
    "router": "from fastapi import APIRouter",
    "settings class": "from app.core.config.settings import ModuleSettings",
    "command": "import click",
    "event": "from app.core.ports.events import Event",
    "data policy": "from app.core.manifest import RetentionRule",
}


def _strays(code: Code) -> Mutants:
    """Define each kind of thing in the first file of each module where nothing of the kind belongs."""
    seen: set[tuple[str, str]] = set()
    for module in sorted(filter(in_module, code), key=lambda module: module.name):
        package = module.name.split(".")[1]
        for kind, statement in STRAYS.items():
            if (package, kind) not in seen and _static(module) and not may_stand(module, kind):
                seen.add((package, kind))
                text = f"{module.file.text}\n{STRAY_IMPORTS.get(kind, '')}\n\n\n{statement}"
                yield Mutant("define in another file", f"{kind} in {module.name}", {_template(module): text})


def _without(text: str, node: ast.keyword | ast.expr) -> str:
    start = _offset(text, node.lineno, node.col_offset)
    end = _offset(text, node.end_lineno or node.lineno, node.end_col_offset or 0)
    after = re.match(r"\s*,?", text[end:])
    return text[:start] + text[end + (after.end() if after else 0) :]


def _offset(text: str, line: int, column: int) -> int:
    rows = text.split("\n")
    before = sum(len(row) + 1 for row in rows[: line - 1])
    return before + len(rows[line - 1].encode()[:column].decode())


def _fixtures(code: Code) -> Mutants:
    """Rename each fixture that is used where it is visible; an `autouse` fixture may have no user."""
    asked = {name for module in code for function in module.facts.functions for name in function.arguments}
    for module in code:
        # A test file's fixture is visible there only; another file may use a fixture of the same name.
        here = {name for function in module.facts.functions for name in function.arguments}
        seen = asked if module.name.endswith("conftest") else here
        for function in module.facts.functions:
            if fixture_name(function) == function.name and function.name in seen and _static(module):
                row = next(
                    number
                    for number, line in enumerate(module.file.text.split("\n"), 1)
                    if number >= function.lines[-1] and re.search(rf"def {function.name}\(", line)
                )
                old = module.file.text.split("\n")[row - 1]
                new = replace_line(module.file.text, row, old.replace(function.name, f"{function.name}_x", 1))
                yield Mutant("rename fixture", f"{module.name}.{function.name}", {_template(module): new})


def _lost_files(proof: Proof, code: Code) -> Mutants:
    """Remove each file that a piece lists, and each manifest."""
    del proof
    for piece in code.tree.model.pieces.values():
        for path in piece.paths:
            file = code.tree.files.get(path)
            if file is not None:
                yield Mutant("lose file", path, {file.source: None})
    for module in code:
        if module.file.path.endswith("/module.py"):
            yield Mutant("lose file", module.file.path, {_template(module): None})


def _imports(code: Code) -> Mutants:
    """Change each folder's first import within the project into one of a missing name."""
    folders: set[str] = set()
    for module in code:
        folder = module.file.path.rpartition("/")[0]
        if folder in folders:
            continue
        for each in module.facts.imports:
            if each.name is None or not code.is_first_party(each.module) or not _static(module):
                continue
            row = module.file.text.split("\n")[each.lines[-1] - 1]
            if re.search(rf"\b{each.name}\b", row):
                new = re.sub(rf"\b{each.name}\b(?!.*\b{each.name}\b)", f"{each.name}_gone", row)
                text = replace_line(module.file.text, each.lines[-1], new)
                folders.add(folder)
                yield Mutant(
                    "import a name that is not there", f"{module.name}: {each.name}", {_template(module): text}
                )
                break
