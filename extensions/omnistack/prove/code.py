"""The Python of the product line: modules, what they define, and where names come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from omnistack.prove.facts import Call, Facts, Import, Lines, Reference
from omnistack.prove.python import FIRST_PARTY, read_python
from omnistack.prove.space import Cond, Conditions
from omnistack.prove.tree import File, Tree


@dataclass(frozen=True, eq=False)
class Module:
    """A Python file and its facts."""

    name: str
    file: File
    facts: Facts

    def at(self, lines: Lines) -> Cond:
        """Return the condition of these lines."""
        return self.file.at(lines)

    @cached_property
    def by_name(self) -> dict[str, list[Reference]]:
        """The references by each name in them, the attribute's included."""
        found: dict[str, list[Reference]] = {}
        for reference in self.facts.references:
            for name in {reference.name, reference.attribute or reference.name}:
                found.setdefault(name, []).append(reference)
        return found

    @cached_property
    def attributes(self) -> dict[str, Cond]:
        """The condition under which each attribute is read."""
        found: dict[str, Cond] = {}
        for reference in self.facts.references:
            if reference.attribute is not None:
                here, known = self.at(reference.lines), found.get(reference.attribute)
                found[reference.attribute] = here if known is None else known | here
        return found


def in_module(module: Module) -> bool:
    """Return whether a file belongs to a module. The core is one; kit and the programs around the modules are not."""
    parts = module.file.path.split("/")
    return parts[0] == "app" and len(parts) > 2 and parts[1] not in {"kit", "cli", "dev", "migrate"}  # noqa: PLR2004


class Code:
    """All Python files, with their conditions."""

    def __init__(self, tree: Tree, known: "Code | None" = None) -> None:
        """Read the files; one that `known` has read already is taken from there."""
        self.tree = tree
        self.space = tree.space
        self.modules: dict[str, Module] = {}
        for path, file in tree.files.items():
            if path.endswith(".py"):
                name = path.removesuffix(".py").replace("/", ".")
                package = name.rpartition(".")[0]
                if name.endswith(".__init__"):
                    name = package
                before = known.modules.get(name) if known else None
                same = before is not None and before.file is file
                self.modules[name] = (
                    before if before is not None and same else Module(name, file, read_python(file.text, package))
                )

    def __iter__(self) -> Iterator[Module]:
        return iter(self.modules.values())

    @cached_property
    def _packages(self) -> Conditions[str]:
        """Folders count as packages without `__init__.py` too."""
        found = Conditions[str](self.space)
        for module in self:
            name = module.name
            while name:
                found.add(name, module.file.cond)
                name = name.rpartition(".")[0]
        return found

    def exists(self, module: str) -> Cond:
        """Return the condition under which a module can be imported."""
        return self._packages[module]

    def is_first_party(self, module: str) -> bool:
        """Return whether a module is one of the project's own."""
        return module.split(".", maxsplit=1)[0] in FIRST_PARTY

    def defines(self, module: str, name: str) -> Cond:
        """Return when `from module import name` works, as a condition: a name bound there, or a module below it."""
        cond = self.exists(f"{module}.{name}")
        found = self.modules.get(module)
        if found is not None:
            if name in {"__name__", "__file__", "__doc__"}:
                return found.file.cond
            for lines in found.facts.names.get(name, ()):
                cond = cond | found.at(lines)
            if "__getattr__" in found.facts.names:
                cond = cond | found.file.cond
        return cond

    def resolve(self, module: Module, dotted: str) -> tuple[str, str]:
        """Resolve a dotted name, as a module uses it, to the defining module and name."""
        head, _, rest = dotted.partition(".")
        found = next((each for each in module.facts.imports if each.bound == head), None)
        if found is None:
            return module.name, head
        return self._target(found, rest)

    def _target(self, found: Import, rest: str) -> tuple[str, str]:
        if found.name is None:
            full = f"{found.module}.{rest}" if found.bound == found.module else f"{found.bound}.{rest}"
            return full.rpartition(".")[0], full.rpartition(".")[2]
        submodule = f"{found.module}.{found.name}"
        if submodule in self._packages:
            return (submodule, rest.split(".", maxsplit=1)[0]) if rest else (found.module, found.name)
        return found.module, found.name

    def calls(self, *functions: str) -> Iterator[tuple[Module, Call]]:
        """Yield all calls of functions with these names, however they were imported."""
        for module in self:
            if module.facts.called.isdisjoint(functions):
                continue
            for call in module.facts.calls:
                if call.function.rpartition(".")[2] in functions:
                    yield module, call
