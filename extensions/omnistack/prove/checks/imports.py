"""Imports: a module, and the very name that is imported from it, exist wherever the importing line does."""

import re

from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Import, Reference
from omnistack.prove.finding import Report
from omnistack.prove.space import Conditions


def check_imports(code: Code, report: Report) -> None:
    """Check every import of the project's own modules, in functions and under TYPE_CHECKING too."""
    for module in code:
        if module.facts.error is not None:
            line, message = module.facts.error
            report(module.file.source, module.file.where(line), f"is not valid Python: {message}", module.file.cond)
        for target, lines in module.facts.stars:
            report(
                module.file.source,
                module.file.where(lines[-1]),
                f"`from {target} import *` hides the imported names: list them",
                module.at(lines),
            )
        for found in module.facts.imports:
            if code.is_first_party(found.module):
                _check_import(code, module, found, report)
        aliases = {found.bound: found for found in module.facts.imports if _is_module(code, found)}
        for reference in module.facts.references:
            if reference.name in aliases and reference.name not in module.facts.local:
                _check_attribute(code, module, aliases[reference.name], reference, report)


ENTRIES = ("app.main", "app.cli.main", "app.project_modules", "app.modules", "migrations.env")
"""The entry points of the application."""

OFFERED = "dependencies"
"""The file with a module's dependencies for routes. All of these routes may be the user's own."""


FOUND_BY_NAME = ("test_", "conftest", "admin_calls.py")
"""Files of tests that no test imports: pytest finds them, and `tests/users/admin_walk.py`."""


TOOL_ENTRIES = ("__main__.py", "locustfile.py", "queueing.py")
"""Files of a tool that are run: by `python -m`, or by Locust."""

PROGRAM = re.compile(r"\bpython -m ((?:app|tests)(?:\.\w+)+)")
"""A program of the project in a command of CI, of the Makefile, or in the documentation."""


def check_programs(code: Code, report: Report) -> None:
    """Check that a program that a command names exists wherever the command does."""
    for file in code.tree.files.values():
        if file.name.endswith(".py"):
            continue
        for line in file.matching(PROGRAM.pattern):
            for name in PROGRAM.findall(line.text):
                missing = line.cond & ~code.exists(name)
                report(file.source, line.number, f"runs {name}, which does not exist", missing)


def check_reached(code: Code, report: Report) -> None:
    """Check that every file of the application is imported by another one of it, and that tests use their helpers.

    A program is reached by the command that runs it, in a file that is neither Python nor documentation.

    What a piece offers to the user's own code has to be imported by a test or by the application.
    """
    inside, of_tests = _reached(code, {"app", "migrations"}), _reached(code, {"tests"})
    tools = {tool.name for piece in code.tree.model.pieces.values() for tool in piece.tools}
    of_tools = _reached(code, tools)
    _add_programs(code, inside)
    _add_programs(code, of_tests)
    offers = tuple(path for piece in code.tree.model.pieces.values() for path in piece.offers)
    for module in code:
        if module.file.name == "__init__.py" or module.name in ENTRIES or module.name.endswith(f".{OFFERED}"):
            continue
        if module.file.path.startswith(offers):
            unreached = module.file.cond & ~inside[module.name] & ~of_tests[module.name]
            report(module.file.source, 1, "is offered to the user's code, but nothing imports it", unreached)
        elif module.name.startswith("app."):
            unreached = module.file.cond & ~inside[module.name]
            report(module.file.source, 1, "no file of the application imports it", unreached)
        elif module.name.split(".")[0] in tools and module.file.name not in TOOL_ENTRIES:
            report(module.file.source, 1, "no file of its tool imports it", module.file.cond & ~of_tools[module.name])
        elif module.name.startswith("tests.") and not module.file.name.startswith(FOUND_BY_NAME):
            report(module.file.source, 1, "no test imports it", module.file.cond & ~of_tests[module.name])


def _reached(code: Code, roots: set[str]) -> Conditions[str]:
    """Return the condition under which each module is imported by another one below the roots."""
    reached = Conditions[str](code.space)
    for module in code:
        if module.name.split(".")[0] not in roots:
            continue
        for found in module.facts.imports:
            for target in (found.module, f"{found.module}.{found.name}"):
                if target != module.name:
                    reached.add(target, module.at(found.lines))
        for target, lines in module.facts.modules:
            reached.add(target, module.at(lines))
    return reached


def _add_programs(code: Code, reached: Conditions[str]) -> None:
    for file in code.tree.files.values():
        if not file.name.endswith((".py", ".md")):
            for line in file.matching(PROGRAM.pattern):
                for name in PROGRAM.findall(line.text):
                    reached.add(name, line.cond)


def _check_import(code: Code, module: Module, found: Import, report: Report) -> None:
    here = module.at(found.lines)
    line = module.file.where(found.lines[-1])
    exists = code.exists(found.module)
    report(module.file.source, line, f"imports {found.module}, which does not exist", here & ~exists)
    if found.name is not None:
        missing = here & exists & ~code.defines(found.module, found.name)
        report(module.file.source, line, f"imports {found.name} from {found.module}, which does not define it", missing)


def _is_module(code: Code, found: Import) -> bool:
    if not code.is_first_party(found.module):
        return False
    if found.name is None:
        return found.bound != found.module.split(".")[0] or "." not in found.module
    # A name of the same spelling that the package itself binds wins over the module.
    holder = code.modules.get(found.module)
    bound_there = holder is not None and found.name in holder.facts.names
    return f"{found.module}.{found.name}" in code.modules and not bound_there


def _check_attribute(code: Code, module: Module, found: Import, reference: Reference, report: Report) -> None:
    target = found.module if found.name is None else f"{found.module}.{found.name}"
    if reference.attribute is None or target not in code.modules:
        return
    here = module.at(reference.lines) & code.exists(target)
    missing = here & ~code.defines(target, reference.attribute)
    report(
        module.file.source,
        module.file.where(reference.lines[-1]),
        f"uses {reference.name}.{reference.attribute}, which {target} does not define",
        missing,
    )
