"""The facts of a Python file, as plain values. Line numbers refer to the text with every conditional line."""

from dataclasses import dataclass, field

type Lines = tuple[int, ...]
"""The lines on which something depends: those of the enclosing statements, and its own."""


PROVIDER_SPECS = ("ProviderSpec",)
"""The last words of the names of the classes that describe a provider."""


@dataclass(frozen=True)
class Import:
    """One name that an import binds."""

    module: str
    name: str | None
    """The imported name; `None` for `import module`."""
    bound: str
    """The local name."""
    lines: Lines
    top: bool
    """Whether it is at module level, where it defines a name."""
    guarded: bool
    """Whether the import may fail (`try: … except ImportError`)."""


@dataclass(frozen=True)
class Reference:
    """A use of a name, or of an attribute of a name: `jobs`, or `jobs.send` as `("jobs", "send")`."""

    name: str
    attribute: str | None
    owner: str
    """The enclosing definition at module level; empty outside of all."""
    lines: Lines


@dataclass(frozen=True)
class Call:
    """A call: what is called, and what each argument refers to."""

    function: str
    arguments: tuple[tuple[str, ...], ...]
    """The dotted names in each positional argument."""
    keywords: tuple[tuple[str, tuple[str, ...]], ...]
    texts: tuple[str, ...]
    """The strings in it."""
    keyword_texts: tuple[tuple[str, tuple[str, ...]], ...]
    owner: str
    lines: Lines

    def refers(self, keyword: str) -> tuple[str, ...]:
        """Return the dotted names in a keyword argument."""
        return next((names for name, names in self.keywords if name == keyword), ())


@dataclass(frozen=True)
class Class:
    """A class at the module's level."""

    name: str
    bases: tuple[str, ...]
    keywords: tuple[str, ...]
    fields: tuple[tuple[str, Lines], ...]
    tablename: str | None
    lines: Lines


@dataclass(frozen=True)
class Decorator:
    """A decorator: strings in its first argument, those in all positional ones, names of the others, and its `name`."""

    function: str
    first: tuple[str, ...]
    texts: tuple[str, ...]
    keywords: tuple[str, ...]
    name: str | None
    automatic: bool
    """`autouse=True`."""


@dataclass(frozen=True)
class Function:
    """A function or method."""

    name: str
    arguments: tuple[str, ...]
    """Those that have no default."""
    decorators: tuple[Decorator, ...]
    """Its own and those of the classes around it."""
    top: bool
    cls: str
    """The class that it is a method of; empty for none."""
    lines: Lines


@dataclass(eq=False)
class Facts:
    """The facts of a file that checks use."""

    imports: list[Import] = field(default_factory=list)
    foreign: list[Import] = field(default_factory=list)
    """Those of packages that are neither the project's nor Python's."""
    stars: list[tuple[str, Lines]] = field(default_factory=list)
    names: dict[str, list[Lines]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    called: set[str] = field(default_factory=set)
    """The last part of the name of each function that is called; `ProviderSpec` for each that describes a provider."""
    classes: list[Class] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    values: dict[str, tuple[object, Lines]] = field(default_factory=dict)
    """Constants at the module's level."""
    words: set[str] = field(default_factory=set)
    """Words in its strings: annotations that are written as strings, `__all__`."""
    modules: list[tuple[str, Lines]] = field(default_factory=list)
    """Strings that may name a module, for another Python to run."""
    local: set[str] = field(default_factory=set)
    """Names that are bound somewhere below the module's level."""
    error: tuple[int, str] | None = None
