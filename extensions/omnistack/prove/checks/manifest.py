"""The manifests: what a module has is listed, all the way up to `app/modules.py`."""

from collections.abc import Iterator

from omnistack.prove.checks.settings import settings_classes
from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Call
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond

LIST = "app.modules"
FUNCTION_FILES = {"subscribers": "subscribers", "jobs": "jobs"}
"""Files whose public functions are all meant for one field of the manifest."""

type Names = dict[tuple[str, str], Cond]


def check_manifest(code: Code, report: Report) -> None:
    """Check that everything of a module that is rendered is reached from the list of modules."""
    _check_list(code, report)
    _check_models(code, report)
    _check_routers(code, report)
    _check_settings(code, report)
    _check_functions(code, report)
    _check_queued(code, report)


def is_manifest(function: str) -> bool:
    """Tell whether a call builds a manifest: of a module, or of a provider (`ProviderPiece`)."""
    name = function.rpartition(".")[2]
    return name == "Module" or name.endswith("Piece")


def _listed(code: Code, *fields: str) -> Names:
    """Give what the manifests list in some fields, and when."""
    found: Names = {}
    for module, call in _manifest_calls(code):
        for name in (name for field in fields for name in call.refers(field)):
            key = code.resolve(module, name)
            found[key] = found.get(key, code.space.nothing) | module.at(call.lines)
    return found


def _manifest_calls(code: Code) -> Iterator[tuple[Module, Call]]:
    return ((module, call) for module in code for call in module.facts.calls if is_manifest(call.function))


def _missing(code: Code, found: Names, key: tuple[str, str], here: Cond) -> Cond:
    return here & ~found.get(key, code.space.nothing)


def _check_list(code: Code, report: Report) -> None:
    """Each manifest is a value that the list, or a registry of providers, names."""
    used: Names = {}
    for module in code:
        for reference in module.facts.references:
            dotted = f"{reference.name}.{reference.attribute}" if reference.attribute else reference.name
            key = code.resolve(module, dotted)
            inside = key[0] == module.name
            if not inside and module.name.startswith("app."):
                used[key] = used.get(key, code.space.nothing) | module.at(reference.lines)
    for module, call in code.calls("Module"):
        if module.name.startswith("app.") and call.owner:
            message = f"the module's manifest is not in {LIST}"
            listed = _listed_in(code, LIST, (module.name, call.owner))
            report(module.file.source, module.file.where(call.lines[-1]), message, module.at(call.lines) & ~listed)
    for module, call in _manifest_calls(code):
        if call.function != "Module" and call.owner and module.name.startswith("app."):
            missing = _missing(code, used, (module.name, call.owner), module.at(call.lines))
            report(module.file.source, module.file.where(call.lines[-1]), "no registry names this provider", missing)


def _listed_in(code: Code, name: str, key: tuple[str, str]) -> Cond:
    holder = code.modules.get(name)
    cond = code.space.nothing
    for reference in holder.facts.references if holder else ():
        dotted = f"{reference.name}.{reference.attribute}" if reference.attribute else reference.name
        if holder is not None and reference.owner == "MODULES" and code.resolve(holder, dotted) == key:
            cond = cond | holder.at(reference.lines)
    return cond


def _in_module(module: Module) -> bool:
    """Tell whether a file belongs to a module, and not to the core or what stands on it."""
    parts = module.file.path.split("/")
    return parts[0] == "app" and len(parts) > 2 and parts[1] not in {"core", "kit", "cli", "dev"}  # noqa: PLR2004


def _check_models(code: Code, report: Report) -> None:
    listed = _listed(code, "models")
    for module in filter(_in_module, code):
        for each in module.facts.classes:
            if "table=True" in each.keywords:
                missing = _missing(code, listed, (module.name, each.name), module.at(each.lines))
                line = module.file.where(each.lines[-1])
                report(module.file.source, line, f"the table {each.name} is in no manifest's `models`", missing)


def _check_routers(code: Code, report: Report) -> None:
    listed = _listed(code, "router", "admin_router", "public_router")
    for module, call in code.calls("include_router"):
        for name in (name for argument in call.arguments for name in argument):
            key = code.resolve(module, name)
            listed[key] = listed.get(key, code.space.nothing) | module.at(call.lines)
    for module, call in code.calls("APIRouter"):
        if call.owner and module.name.startswith("app.") and module.facts.names.get(call.owner) and _is_value(module, call.owner):
            missing = _missing(code, listed, (module.name, call.owner), module.at(call.lines))
            line = module.file.where(call.lines[-1])
            report(module.file.source, line, f"the routes of `{call.owner}` are in no manifest", missing)


def _is_value(module: Module, name: str) -> bool:
    return not any(function.name == name and function.top for function in module.facts.functions)


def _check_settings(code: Code, report: Report) -> None:
    listed = _listed(code, "settings")
    for module, each in filter(lambda pair: _in_module(pair[0]), settings_classes(code)):
        missing = _missing(code, listed, (module.name, each.name), module.at(each.lines))
        line = module.file.where(each.lines[-1])
        report(module.file.source, line, f"{each.name} is in no manifest's `settings`", missing)


def _check_functions(code: Code, report: Report) -> None:
    listed = {field: _listed(code, field) for field in (*FUNCTION_FILES.values(), "commands")}
    for module in filter(_in_module, code):
        field = FUNCTION_FILES.get(module.name.rpartition(".")[2])
        for function in module.facts.functions:
            # A command of a group is reached through the group.
            command = any(each.function in {"click.command", "click.group"} for each in function.decorators)
            if not function.top or function.name.startswith("_") or not (field or command):
                continue
            wanted = field or "commands"
            missing = _missing(code, listed[wanted], (module.name, function.name), module.at(function.lines))
            line = module.file.where(function.lines[-1])
            report(module.file.source, line, f"{function.name} is in no manifest's `{wanted}`", missing)


def _check_queued(code: Code, report: Report) -> None:
    """What is queued or handed to the inbox is listed, or the application refuses it when it runs."""
    jobs, handlers = _listed(code, "jobs") | _core_jobs(code), _listed(code, "inbox_handlers")
    for module, call in code.calls("enqueue"):
        function = call.arguments[1] if len(call.arguments) > 1 else ()
        for name in function if module.name.startswith("app.") else ():
            _check_one(code, module, name, call.lines, jobs, "jobs", report)
    for module, call in code.calls("receive"):
        for name in call.refers("handler") if module.name.startswith("app.") else ():
            _check_one(code, module, name, call.lines, handlers, "inbox_handlers", report)


def _core_jobs(code: Code) -> Names:
    """The core has no manifest: its jobs are a constant that ends in JOBS."""
    found: Names = {}
    for module in code:
        for reference in module.facts.references:
            if module.name.startswith("app.core.") and reference.owner.endswith("JOBS"):
                found[code.resolve(module, reference.name)] = module.at(reference.lines)
    return found


def _check_one(
    code: Code, module: Module, name: str, lines: tuple[int, ...], listed: Names, field: str, report: Report
) -> None:
    key = code.resolve(module, name)
    holder = code.modules.get(key[0])
    if holder is None or key[1] not in holder.facts.names:
        return
    missing = _missing(code, listed, key, module.at(lines))
    report(module.file.source, module.file.where(lines[-1]), f"{key[1]} is in no manifest's `{field}`", missing)


def manifests(code: Code) -> Iterator[tuple[str, Cond]]:
    """Give each module's name and when it is there."""
    for module, call in code.calls("Module"):
        if module.name.startswith("app.") and module.name.endswith(".module"):
            yield module.name.split(".")[1], module.at(call.lines)
