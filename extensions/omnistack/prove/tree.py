"""The rendered project as a product line: every file and every line with its condition.

`_exclude`, the parts of paths and the contents of `.jinja` files are run by the interpreter; patterns are matched by
the library that Copier uses. So the tree follows only from the files that Copier reads.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import PurePosixPath
from unicodedata import normalize

from pathspec import PathSpec
from pathspec.pattern import Pattern

from omnistack.prove.model import Model
from omnistack.prove.source import Source
from omnistack.prove.space import Cond
from omnistack.prove.values import Opaque, Part, RefusedError, Text
from omnistack.template.catalog import Answer
from omnistack.template.copier_api import PATHSPEC_PATTERN

SKIPPED = {".pyc", ".png", ".ico"}
FORMS = 256
"""Maximum number of forms of one line. A line that names the chosen pieces has as many as there are sets of them."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line with its condition."""

    text: str
    cond: Cond
    number: int
    """Its number in the template's file."""
    free: bool = False
    """Whether a free text is in it."""


@dataclass(frozen=True, eq=False)
class File:
    """A file with its condition."""

    path: str
    """In the rendered project."""
    source: str
    """In the template."""
    cond: Cond
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @cached_property
    def fixed(self) -> bool:
        """Whether its content is the same in every project that has it."""
        return all(part.cond == self.cond for part in self.parts)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All lines that the file may have, in order."""
        if self.fixed and len(self.parts) == 1:
            return tuple(
                Line(text, self.cond, number) for number, text in enumerate(plain(self.parts[0]).split("\n"), start=1)
            )
        try:
            return tuple(split_lines(self.parts, self.cond))
        except RefusedError as error:
            raise RefusedError(f"{self.source}: {error.message}", error.hint) from error

    @cached_property
    def text(self) -> str:
        """All lines that the file may have, as one text."""
        if self.fixed and len(self.parts) == 1:
            return plain(self.parts[0])
        return "\n".join(line.text for line in self.lines)

    def matching(self, pattern: str) -> Iterator[Line]:
        """Return the lines that match a regular expression."""
        return (self.lines[number] for number in matching_lines(self.text, pattern))

    def at(self, numbers: Iterable[int]) -> Cond:
        """Return the condition under which these lines of `text` (from 1) are rendered."""
        cond = self.cond
        if not self.fixed:
            for number in numbers:
                cond = cond & self.lines[number - 1].cond
        return cond

    def where(self, number: int) -> int:
        """Return the line of the template's file for a line of `text`."""
        if self.fixed and len(self.parts) == 1:
            return number
        return self.lines[number - 1].number if 0 < number <= len(self.lines) else number


class Tree:
    """All files of all projects."""

    def __init__(self, model: Model, source: Source | None = None, known: "Tree | None" = None) -> None:
        """Run the templates; `source` has other files than the model was read from.

        `known` is a tree over the same space: what is the same there is taken from it.
        """
        self.model = model
        self.source = source or model.source
        self._known = known
        self.space = model.space
        self.valid = model.valid
        configuration = model.configuration
        self._below = f"{configuration.get('_subdirectory', '') or '.'}/".removeprefix("./")
        self._suffix = configuration.get("_templates_suffix", ".jinja")
        self._patterns = self._read_patterns()
        self._matching = _matcher(tuple(line for _, line, _ in self._patterns))
        self.files = {file.path: file for file in sorted(self._files(), key=lambda file: file.path)}

    def _read_patterns(self) -> list[tuple[Cond, str, bool]]:
        found: list[tuple[Cond, str, bool]] = []
        for item in self.model.configuration.get("_exclude", ()):
            text = self._render(item, "copier.yml: _exclude", self.valid)
            lines = split_lines(text.parts, self.valid)
            found.extend(
                (line.cond, line.text.removeprefix("!"), not line.text.startswith("!"))
                for line in lines
                if line.text.strip()
            )
        return found

    def _render(self, source: str, where: str, cond: Cond) -> Text:
        names = {**self.model.names, "_copier_operation": "copy"}
        return self.model.interpreter.render(source, names, cond, where)

    def excluded(self, path: str) -> Cond:
        """Return the condition under which `_exclude` leaves a path out."""
        cond = self.space.nothing
        for place in self._matching(path):
            here, _, excludes = self._patterns[place]
            cond = cond | here if excludes else cond & ~here
        return cond

    def _files(self) -> Iterator[File]:
        files = self.source.files
        before: dict[str, list[File]] = {}
        for file in self._known.files.values() if self._known is not None and self._known.model is self.model else ():
            before.setdefault(file.source, []).append(file)
        for source in files:
            if self._known is not None and source in before and files[source] == self._known.source.files.get(source):
                yield from before[source]
                continue
            if not source.startswith(self._below) or f"{source}{self._suffix}" in files:
                continue
            for path, cond in self._paths(source):
                here = cond & ~self.excluded(path)
                if here == self.space.nothing:
                    continue
                if source.endswith(self._suffix):
                    text = self._render(self.source.text(source), source, here)
                    yield self._file(path, source, here, text.parts)
                elif PurePosixPath(path).suffix not in SKIPPED:
                    yield self._file(path, source, here, (Part(here, self.source.text(source), 1),))

    def _file(self, path: str, source: str, cond: Cond, parts: tuple[Part, ...]) -> File:
        """Return the known file if its content is the same, and with it the cached results of its analysis."""
        known = self._known.files.get(path) if self._known is not None and self._known.space is self.space else None
        same = known is not None and known.source == source and known.cond == cond and known.parts == parts
        return known if known is not None and same else File(path, source, cond, parts)

    def _paths(self, source: str) -> list[tuple[str, Cond]]:
        path = source.removeprefix(self._below)
        path = path.removesuffix(self._suffix)
        found: list[tuple[str, Cond]] = [("", self.valid)]
        for part in path.split("/"):
            options = [(self.valid, part)]
            if "{" in part:
                text = self._render(part, source, self.valid)
                options = self.model.interpreter.algebra.options(text, self.valid)
            found = [
                (f"{before}/{name}" if before else name, cond & here)
                for before, cond in found
                for here, name in options
                if name and cond & here != self.space.nothing
            ]
        return found

    @cached_property
    def signature(self) -> dict[str, object]:
        """Equal for trees, over one space, that render the same project for every answer set."""
        return {path: (file.cond, tuple(_merged(file.parts))) for path, file in self.files.items()}

    def render(self, answers: dict[str, Answer]) -> dict[str, str]:
        """Return the project of one answer set."""
        bits = self.space.bits(answers)
        return {
            path: "".join(plain(part) for part in file.parts if part.cond.eval(bits))
            for path, file in self.files.items()
            if file.cond.eval(bits)
        }


@lru_cache(maxsize=1 << 16)
def matching_lines(text: str, pattern: str) -> tuple[int, ...]:
    """Return the numbers (from 0) of the lines that match: most files are the same in every template that is tried."""
    compiled = re.compile(pattern, re.MULTILINE)
    if compiled.search(text) is None:
        return ()
    return tuple(number for number, line in enumerate(text.split("\n")) if compiled.search(line))


@lru_cache(maxsize=1 << 18)
def matches(line: str, path: str) -> bool:
    """Return whether a line of `_exclude` names a path."""
    return _pattern(line).match_file(path)


@lru_cache(maxsize=64)
def _matcher(lines: tuple[str, ...]) -> Callable[[str], tuple[int, ...]]:
    """Return which lines of `_exclude` name a path; most templates that are tried have the same lines."""
    return cache(lambda path: tuple(place for place, line in enumerate(lines) if matches(line, path)))


@lru_cache(maxsize=1 << 12)
def _pattern(line: str) -> PathSpec[Pattern]:
    return PathSpec.from_lines(PATHSPEC_PATTERN, [normalize("NFD", line)])


def plain(part: Part) -> str:
    """Return a part as text; a free text as the sample's answer."""
    if isinstance(part.text, Opaque):
        return part.text.sample
    if not isinstance(part.text, str):
        raise RefusedError("the JSON of a list that varies is printed into a file", "loop over the list")
    return part.text


def _merged(parts: Iterable[Part]) -> Iterator[tuple[Cond, str]]:
    last: tuple[Cond, str] | None = None
    for part in parts:
        if last is not None and last[0] == part.cond:
            last = (part.cond, last[1] + plain(part))
            continue
        if last is not None:
            yield last
        last = (part.cond, plain(part))
    if last is not None:
        yield last


type Pending = list[tuple[Cond, str, int, bool]]


def split_lines(parts: Iterable[Part], cond: Cond) -> Iterator[Line]:
    """Split output into lines: a line that reads differently here and there comes once for every form.

    Raises:
        RefusedError: a line has too many forms.
    """
    nothing = cond & ~cond
    pending: Pending = [(cond, "", 0, False)]
    for part in parts:
        line, here, free = part.line, part.cond, isinstance(part.text, Opaque)
        for place, chunk in enumerate(re.split(r"\r\n|\r|\n", plain(part))):
            if place:
                for inner, text, number, known in pending:
                    if inner & here != nothing:
                        yield Line(text, inner & here, number or line, known)
                line += 1
                ended = [(inner & ~here, text, number, known) for inner, text, number, known in pending]
                pending = _joined([*ended, (here & cond, "", 0, False)], nothing)
            if chunk:
                longer = [(i & here, text + chunk, number or line, known or free) for i, text, number, known in pending]
                rest = [(inner & ~here, text, number, known) for inner, text, number, known in pending]
                pending = _joined([*rest, *longer], nothing)
    for inner, text, number, known in pending:
        if text:
            yield Line(text, inner, number, known)


def _joined(pending: Pending, nothing: Cond) -> Pending:
    found: dict[tuple[str, bool], tuple[Cond, str, int, bool]] = {}
    for cond, text, number, free in pending:
        if cond != nothing:
            known = found.get((text, free))
            both = (known[0] | cond, text, known[2] or number, free) if known else (cond, text, number, free)
            found[text, free] = both
    if len(found) > FORMS:
        raise RefusedError("a line takes too many forms", "print one line for each piece")
    return list(found.values())
