"""The direction of imports: kit ← core ← modules ← main, and a piece imports only what it requires."""

from collections.abc import Mapping

from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Import
from omnistack.prove.finding import Report
from omnistack.template.catalog import Piece

CORE = "core"
LAYERS = {"kit": 0, "core": 1}
TOP = ("app.main", "app.modules", "app.project_modules", "app.cli", "app.dev", "app.migrate")
"""The packages above the modules."""

SHARED_FOLDERS = frozenset(
    {"monitoring", "docs/alerts", "railway", "tests/backup", "app/dev/pipeline", "tests/pipeline", "load"}
)
"""Folders whose files may belong to other pieces: such a file exists if both its owner and the folder's are chosen."""


def check_direction(code: Code, report: Report) -> None:
    """Check every import. A wiring file may also import what requires its own piece, such as a port's providers."""
    pieces = code.tree.model.pieces.values()
    # A path that several pieces share belongs to the last of them by name.
    paths = {
        own.rstrip("/"): piece.name for piece in sorted(pieces, key=lambda piece: piece.name) for own in piece.paths
    }
    owners = {module.name: owner(paths, module.file.path) for module in code}
    required = {name: _required(code, name) for name in {CORE, *owners.values(), *paths.values()}}
    for module in code:
        if module.name.startswith("migrations"):
            continue
        wires = module.file.source.endswith(".jinja")
        for found in module.facts.imports:
            target = _target(code, found)
            if target is None:
                continue
            line = module.file.where(found.lines[-1])
            here = module.at(found.lines)
            problem = _layers(module.name, target.name) if module.name.startswith("app.") else None
            mine, theirs = owners[module.name], owners[target.name]
            # Whether the imports of the core's tests and the command line exist is left to the check of imports.
            lax = mine == CORE or (module.name.startswith("tests") and code.tree.model.pieces[theirs].always)
            # A file in a shared folder exists only if both pieces are chosen.
            both = {mine, *hosts(paths, module.file.path)}
            listed = wires and (mine in required[theirs] or mine in hosts(paths, target.file.path))
            allowed = lax or listed or theirs in both or any(_may(required, one, theirs) for one in both)
            if problem is None and not allowed:
                problem = f"belongs to {mine}, which does not require {theirs}"
            if problem is not None:
                report(module.file.source, line, f"imports {target.name}: {problem}", here)


def owner(paths: Mapping[str, str], path: str) -> str:
    """Return the piece that a file belongs to: the one with the longest matching path, else the core."""
    while path:
        if path in paths:
            return paths[path]
        path = path.rpartition("/")[0]
    return CORE


def hosts(paths: Mapping[str, str], path: str) -> set[str]:
    """Return the pieces that own the shared folders in which a file lies."""
    return {paths[folder] for folder in SHARED_FOLDERS & paths.keys() if path.startswith(f"{folder}/")}


def _target(code: Code, found: Import) -> Module | None:
    if not code.is_first_party(found.module):
        return None
    return code.modules.get(f"{found.module}.{found.name}") or code.modules.get(found.module)


def _layers(module: str, target: str) -> str | None:
    if not target.startswith("app.") or target == "app.__init__":
        return None
    mine, theirs = _layer(module), _layer(target)
    if mine < theirs:
        return "imports go from main to modules to core to kit, never back"
    return None


def _layer(module: str) -> int:
    if any(module == top or module.startswith(f"{top}.") for top in TOP):
        return 3
    return LAYERS.get(module.split(".")[1], 2)


def _may(required: Mapping[str, set[str]], mine: str, theirs: str) -> bool:
    reaches_core = mine == CORE or CORE in required[mine]
    return (theirs in {mine, CORE} and reaches_core) or theirs in required[mine]


def _required(code: Code, name: str) -> set[str]:
    pieces: dict[str, Piece] = code.tree.model.pieces
    seen: set[str] = set()
    pending = list(pieces[name].requires) if name in pieces else []
    while pending:
        other = pending.pop()
        if other not in seen and other in pieces:
            seen.add(other)
            pending.extend(pieces[other].requires)
    return seen
