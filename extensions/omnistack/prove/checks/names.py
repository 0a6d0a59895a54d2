"""Names: each that is used is bound, and each import and private name is used, under the same answers."""

import builtins
from functools import lru_cache

from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Facts
from omnistack.prove.finding import Report
from omnistack.prove.space import Conditions


def check_names(code: Code, report: Report) -> None:
    """Check that every import and every private name of a file is used under the same answers."""
    for module in code:
        if module.file.fixed and _is_plain(module.facts):
            continue
        used = Conditions[str](code.space)
        definitions = {each.name for each in module.facts.functions} | {each.name for each in module.facts.classes}
        for reference in module.facts.references:
            name = reference.name.split(".")[0]
            if reference.owner != name or name not in definitions:
                used.add(name, module.at(reference.lines))
        for each in module.facts.imports:
            if "noqa" not in module.file.lines[each.lines[-1] - 1].text and each.bound not in module.facts.words:
                unused = module.at(each.lines) & ~used[each.bound]
                line = module.file.where(each.lines[-1])
                report(module.file.source, line, f"imports {each.bound}, but nothing uses it", unused)
        _check_private(module, used, report)
        _check_bound(code, module, report)


@lru_cache(maxsize=1 << 14)
def _is_plain(facts: Facts) -> bool:
    """Return whether a file without conditional lines has no fault: a fast path, since most files have none."""
    definitions = {each.name for each in facts.functions} | {each.name for each in facts.classes}
    heads = [(reference.owner, reference.name.split(".")[0]) for reference in facts.references]
    used = {name for owner, name in heads if owner != name or name not in definitions} | facts.words
    private = {name for name in facts.names if name.startswith("_") and not name.startswith("__") and name != "_"}
    bound = facts.names.keys() | facts.local
    return (
        all(each.bound in used for each in facts.imports)
        and private <= used
        and all(name in bound or name.startswith(("(", "__")) or hasattr(builtins, name) for _, name in heads)
    )


def _check_bound(code: Code, module: Module, report: Report) -> None:
    for reference in module.facts.references:
        name = reference.name.split(".")[0]
        if name.startswith(("(", "__")) or name in module.facts.local or hasattr(builtins, name):
            continue
        bound = code.space.union(module.at(lines) for lines in module.facts.names.get(name, ()))
        line = module.file.where(reference.lines[-1])
        report(module.file.source, line, f"uses {name}, which is not defined", module.at(reference.lines) & ~bound)


def _check_private(module: Module, used: Conditions[str], report: Report) -> None:
    for name, places in module.facts.names.items():
        if not name.startswith("_") or name.startswith("__") or name in module.facts.words or name == "_":
            continue
        if any(each.bound == name for each in module.facts.imports) or _decorated(module, name):
            continue
        for lines in places:
            unused = module.at(lines) & ~used[name]
            report(module.file.source, module.file.where(lines[-1]), f"{name} is private, but nothing uses it", unused)


def _decorated(module: Module, name: str) -> bool:
    """Return whether a decorator may have registered a function."""
    return any(
        each.function.rpartition(".")[2] not in {"contextmanager", "asynccontextmanager", "cache", "lru_cache"}
        for function in module.facts.functions
        if function.name == name and function.top
        for each in function.decorators
    )
