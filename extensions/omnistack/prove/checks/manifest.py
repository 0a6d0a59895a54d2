"""The manifests: everything that a module defines is listed, up to `app/modules.py`."""

from collections.abc import Iterator

from omnistack.prove.checks.settings import BASE, settings_classes
from omnistack.prove.code import Code, Module, in_module
from omnistack.prove.facts import PROVIDER_SPECS, Call, Lines
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions

LIST = "app.modules"
FUNCTION_FILES = {"subscribers": "subscribers", "jobs": "jobs"}
"""Files whose public functions are all meant for one field of the manifest."""
INBOX_FIELDS = ("inbox_handlers", "inbox_jobs")

UNREAD = {
    "models": "importing a table is what registers it; the list is for those who read it",
    "crons": "read by the worker, which comes with jobs",
    "admin_views": "read by the browser admin, which comes with admin",
}
"""Fields of the manifest that need no reader, and why."""

type Names = Conditions[tuple[str, str]]


def check_manifest(code: Code, report: Report) -> None:
    """Check that everything of a module that is rendered is reached from the list of modules."""
    _check_list(code, report)
    _check_models(code, report)
    _check_routers(code, report)
    _check_settings(code, report)
    _check_functions(code, report)
    _check_queued(code, report)
    _check_fields(code, report)
    _check_provider_fields(code, report)
    _check_order(code, report)


def is_manifest(function: str) -> bool:
    """Return whether a call builds a manifest: of a module, or of a provider (`EmailProviderSpec`)."""
    name = function.rpartition(".")[2]
    return name == "Module" or name.endswith(PROVIDER_SPECS)


def listed_in_manifests(code: Code, *fields: str) -> Names:
    """Return the names that the manifests list in some fields, with their conditions."""
    found = Conditions[tuple[str, str]](code.space)
    for module, call in _manifest_calls(code):
        for name in (name for field in fields for name in call.refers(field)):
            key = code.resolve(module, name)
            found.add(key, module.at(call.lines))
    return found


def _manifest_calls(code: Code) -> Iterator[tuple[Module, Call]]:
    yield from code.calls("Module")
    for module in code:
        if "ProviderSpec" in module.facts.called:
            yield from ((module, call) for call in module.facts.calls if call.function.endswith(PROVIDER_SPECS))


def _missing(found: Names, key: tuple[str, str], here: Cond) -> Cond:
    return here & ~found[key]


def _check_list(code: Code, report: Report) -> None:
    """Check that the list of modules, or a registry of providers, names each manifest."""
    for module, call in _manifest_calls(code):
        if not module.name.startswith("app.") or not call.owner:
            continue
        here, line = module.at(call.lines), module.file.where(call.lines[-1])
        key = (module.name, call.owner)
        if call.function.endswith("Module"):
            missing = here & ~_listed_in(code, LIST, key)
            report(module.file.source, line, f"the module's manifest is not in {LIST}", missing)
        else:
            report(module.file.source, line, "no registry names this provider", here & ~_named(code, key))


def _named(code: Code, key: tuple[str, str]) -> Cond:
    """Return the condition under which another file of the application names a value."""
    found = code.space.nothing
    for module in code:
        if module.name == key[0] or not module.name.startswith("app."):
            continue
        for reference in module.by_name.get(key[1], ()):
            dotted = f"{reference.name}.{reference.attribute}" if reference.attribute else reference.name
            if code.resolve(module, dotted) == key:
                found = found | module.at(reference.lines)
    return found


def _listed_in(code: Code, name: str, key: tuple[str, str]) -> Cond:
    holder = code.modules.get(name)
    cond = code.space.nothing
    for reference in holder.facts.references if holder else ():
        dotted = f"{reference.name}.{reference.attribute}" if reference.attribute else reference.name
        if holder is not None and reference.owner == "MODULES" and code.resolve(holder, dotted) == key:
            cond = cond | holder.at(reference.lines)
    return cond


def _check_models(code: Code, report: Report) -> None:
    listed = listed_in_manifests(code, "models")
    for module in filter(in_module, code):
        for each in module.facts.classes:
            if "table=True" in each.keywords:
                missing = _missing(listed, (module.name, each.name), module.at(each.lines))
                line = module.file.where(each.lines[-1])
                report(module.file.source, line, f"the table {each.name} is in no manifest's `models`", missing)


def _check_routers(code: Code, report: Report) -> None:
    listed = listed_in_manifests(code, "router", "admin_router", "public_router", "page_router")
    for module, call in code.calls("include_router"):
        for name in (name for argument in call.arguments for name in argument):
            key = code.resolve(module, name)
            listed.add(key, module.at(call.lines))
    for module, call in code.calls("APIRouter"):
        if (
            call.owner
            and module.name.startswith("app.")
            and module.facts.names.get(call.owner)
            and _is_value(module, call.owner)
        ):
            missing = _missing(listed, (module.name, call.owner), module.at(call.lines))
            line = module.file.where(call.lines[-1])
            report(module.file.source, line, f"the routes of `{call.owner}` are in no manifest", missing)


def _is_value(module: Module, name: str) -> bool:
    return not any(function.name == name and function.top for function in module.facts.functions)


def _check_settings(code: Code, report: Report) -> None:
    listed = listed_in_manifests(code, "settings")
    for module, each in settings_classes(code):
        if each.name == BASE or not in_module(module):
            continue
        missing = _missing(listed, (module.name, each.name), module.at(each.lines))
        line = module.file.where(each.lines[-1])
        report(module.file.source, line, f"{each.name} is in no manifest's `settings`", missing)


def _check_functions(code: Code, report: Report) -> None:
    listed = {field: listed_in_manifests(code, field) for field in (*FUNCTION_FILES.values(), "commands")}
    for module in filter(in_module, code):
        field = FUNCTION_FILES.get(module.name.rpartition(".")[2])
        for function in module.facts.functions:
            # A command of a group is reached through the group.
            command = any(each.function in {"click.command", "click.group"} for each in function.decorators)
            if not function.top or function.name.startswith("_") or not (field or command):
                continue
            wanted = field or "commands"
            missing = _missing(listed[wanted], (module.name, function.name), module.at(function.lines))
            line = module.file.where(function.lines[-1])
            report(module.file.source, line, f"{function.name} is in no manifest's `{wanted}`", missing)


def _check_queued(code: Code, report: Report) -> None:
    """Check that enqueued jobs and inbox handlers are listed. The application refuses others when it runs."""
    jobs, handlers = listed_in_manifests(code, "jobs"), listed_in_manifests(code, *INBOX_FIELDS)
    used: list[tuple[Module, Lines, str, str, Names]] = []
    for module, call in code.calls("enqueue"):
        functions = call.arguments[1] if len(call.arguments) > 1 else ()
        used.extend((module, call.lines, name, "jobs", jobs) for name in functions)
    fields = "` or `".join(INBOX_FIELDS)
    for module, call in code.calls("receive"):
        used.extend((module, call.lines, name, fields, handlers) for name in call.refers("handler"))
    for module, lines, name, field, listed in used:
        key = code.resolve(module, name)
        holder = code.modules.get(key[0])
        if holder is not None and key[1] in holder.facts.names and module.name.startswith("app."):
            missing = _missing(listed, key, module.at(lines))
            report(module.file.source, module.file.where(lines[-1]), f"{key[1]} is in no manifest's `{field}`", missing)


def _check_fields(code: Code, report: Report) -> None:
    """Check that every field of a manifest is read; a field without a reader has no effect."""
    # A provider's fields are read by its own module, a module's fields by any file.
    read = Conditions[tuple[str, str]](code.space)
    for module in code:
        package = ".".join(module.name.split(".")[:2])
        for attribute, cond in module.attributes.items() if module.name.startswith("app.") else ():
            for key in (("app", attribute), (package, attribute)):
                read.add(key, cond)
    for module in code:
        for each in module.facts.classes:
            for field, lines in each.fields if is_manifest(each.name) and module.name.startswith("app.") else ():
                if field in UNREAD:
                    continue
                place = "app" if each.name == "Module" else ".".join(module.name.split(".")[:2])
                unread = module.at(lines) & ~read[(place, field)]
                line = module.file.where(lines[-1])
                report(module.file.source, line, f"nothing reads the manifest's field `{field}`", unread)


def _check_provider_fields(code: Code, report: Report) -> None:
    """Some provider sets every field of its port's manifest, or the field does nothing."""
    given = {
        (_package(module.name), name)
        for module, call in _manifest_calls(code)
        for name, _ in call.keyword_texts
        if call.function.endswith(PROVIDER_SPECS)
    }
    for module in code:
        for each in module.facts.classes:
            for field, lines in each.fields if each.name.endswith(PROVIDER_SPECS) else ():
                if module.name.startswith("app.") and (_package(module.name), field) not in given:
                    line = module.file.where(lines[-1])
                    report(module.file.source, line, f"no provider sets `{field}`", module.at(lines))


def _package(name: str) -> str:
    return ".".join(name.split(".")[:2])


def _check_order(code: Code, report: Report) -> None:
    """Check that the list names each module once, and after the modules that it requires."""
    holder = code.modules.get(LIST)
    if holder is None:
        return
    pieces = {piece.module: piece for piece in code.tree.model.pieces.values() if piece.module}
    before = Conditions[str](code.space)
    for reference in holder.facts.references:
        name = code.resolve(holder, reference.name)[0].removeprefix("app.").split(".")[0]
        if reference.owner != "MODULES" or name not in pieces:
            continue
        here, line = holder.at(reference.lines), holder.file.where(reference.lines[-1])
        twice = here & before[name]
        report(holder.file.source, line, f"the module {name} is listed twice", twice)
        for required in pieces[name].requires:
            other = code.tree.model.pieces[required].module if required in code.tree.model.pieces else None
            if other:
                late = here & ~before[other]
                report(holder.file.source, line, f"{name} is listed before {other}, which it requires", late)
        before.add(name, here)


def manifests(code: Code) -> Iterator[tuple[str, Cond]]:
    """Return each module's name and its condition."""
    for module, call in code.calls("Module"):
        if module.name.startswith("app.") and module.name.endswith(".module"):
            yield module.name.split(".")[1], module.at(call.lines)
