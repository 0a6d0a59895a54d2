"""Metered routes: a user whose quota is used up still reaches their account and can still pay."""

from collections.abc import Iterator

from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Call
from omnistack.prove.finding import Report


def check_metering(code: Code, report: Report) -> None:
    """Check that the module that meters routes, those that it requires, and those that require it are not metered."""
    pieces = {piece.module: piece for piece in code.tree.model.pieces.values() if piece.module}
    manifests = dict(_manifests(code))
    for name, (metering, call) in manifests.items():
        if name not in pieces or not _gives(call, "app_dependencies"):
            continue
        own = pieces[name]
        for other, (module, manifest) in manifests.items():
            piece = pieces.get(other)
            if piece is None or not (piece.name in {own.name, *own.requires} or own.name in piece.requires):
                continue
            if _gives(manifest, "router") and not _gives(manifest, "unmetered"):
                here = module.at(manifest.lines) & metering.at(call.lines)
                line = module.file.where(manifest.lines[-1])
                report(module.file.source, line, f"needs `unmetered=True`: {name} meters its routes", here)


def _manifests(code: Code) -> Iterator[tuple[str, tuple[Module, Call]]]:
    for module, call in code.calls("Module"):
        parts = module.name.split(".")
        if parts[0] == "app" and parts[-1] == "module" and call.owner:
            yield parts[1], (module, call)


def _gives(call: Call, keyword: str) -> bool:
    return any(name == keyword for name, _ in call.keywords)
