"""The files of a module: each kind of thing is defined in the file that has its name."""

import re
from collections.abc import Iterator, Mapping

from omnistack.prove.checks.settings import BASE, settings_classes
from omnistack.prove.code import Code, Module, in_module
from omnistack.prove.facts import Lines
from omnistack.prove.finding import Report

PLACES = {
    "table": r"models",
    "router": r"(\w+_)?routes|\w+_webhook|module",
    "settings class": r"(\w+_)?settings|providers\.\w+",
    "dependency": r"dependencies",
    "command": r"commands",
    "event": r"events",
    "data policy": r"data_policy",
}
"""The names of the files, below the folder of a module, that may define each kind. `module.py` joins routers."""

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("app.core.db.pagination", "PageDep"): "is next to the parameters that it reads from the query",
    ("app.core.data_policy.daily_report", "DailyReport"): "is next to the function that computes it",
}
"""Exceptions, and the reason for each. A test fails for one that is no longer needed."""

EVENT = ("app.core.ports.events", "Event")
POLICIES = {"PersonalData", "RetentionRule", "ReportMetric"}
COMMANDS = {"click.command", "click.group"}


def check_module_files(code: Code, report: Report) -> None:
    """Check that a reader finds each thing of a module in the file where every other module has it."""
    settings = {(module.name, each.name) for module, each in settings_classes(code) if each.name != BASE}
    for module in filter(in_module, code):
        for kind, name, lines in _things(code, module, settings):
            if not may_stand(module, kind) and (module.name, name) not in EXCEPTIONS:
                line = module.file.where(lines[-1])
                message = f"{name} is a {kind}: it belongs in {_file(kind)}"
                report(module.file.source, line, message, module.at(lines))


def _file(kind: str) -> str:
    return {"router": "routes.py", "settings class": "settings.py"}.get(kind, f"{PLACES[kind]}.py")


def may_stand(module: Module, kind: str) -> bool:
    """Return whether a file may define things of this kind."""
    return re.search(rf"\.({PLACES[kind]})$", module.name) is not None


type Thing = tuple[str, str, Lines]
"""The kind, the name and the lines of what a file defines."""


def _things(code: Code, module: Module, settings: set[tuple[str, str]]) -> Iterator[Thing]:
    yield from _classes(code, module, settings)
    yield from _called(module)
    for function in module.facts.functions:
        if function.top and any(each.function in COMMANDS for each in function.decorators):
            yield "command", function.name, function.lines
    imported = {each.bound for each in module.facts.imports}
    for name, places in module.facts.names.items():
        if name.endswith("Dep") and name not in imported:
            yield "dependency", name, places[0]


def _classes(code: Code, module: Module, settings: set[tuple[str, str]]) -> Iterator[Thing]:
    for each in module.facts.classes:
        if "table=True" in each.keywords:
            yield "table", each.name, each.lines
        if (module.name, each.name) in settings:
            yield "settings class", each.name, each.lines
        if any(code.resolve(module, base) == EVENT for base in each.bases):
            yield "event", each.name, each.lines


def _called(module: Module) -> Iterator[Thing]:
    for call in module.facts.calls:
        function = call.function.rpartition(".")[2]
        if function == "APIRouter" and call.owner:
            yield "router", call.owner, call.lines
        if function in POLICIES and call.owner:
            yield "data policy", call.owner, call.lines
