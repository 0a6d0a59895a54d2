"""Values that differ from answer set to answer set, and how they combine.

A plain Python value is the same for all answer sets. `Choice` is one of several values, each under its condition; `Seq`
is a list and `Text` an output, each of whose elements has a condition; `Opaque` is a free text, which may be printed
but must not decide anything else. Values that cannot be combined exactly are refused, never guessed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from omnistack.prove.space import Cond, Space
from omnistack.shell.errors import OmniError

type Value = Any
"""The value of a template expression: anything that YAML and Jinja know, constant or varying."""

LIMIT = 4096
"""More different values than this at one place are refused; wiring loops over pieces instead of multiplying them."""


class RefusedError(OmniError):
    """A construct that the proof cannot follow exactly."""


class FailureError(OmniError):
    """A template that fails to render under a condition."""

    def __init__(self, message: str, cond: Cond) -> None:
        super().__init__(message)
        self.cond = cond


@dataclass(frozen=True)
class Opaque:
    """A free text after some filters; `sample` is the result for the sample's answer."""

    name: str
    sample: str
    filled: bool = False
    """Known not to be empty."""
    trace: str = ""
    """The exact operations that were applied: empty for the unchanged answer."""


@dataclass(frozen=True)
class Missing:
    """An undefined value of Jinja."""

    name: str


@dataclass(frozen=True, eq=False)
class Choice:
    """One of several plain values; the conditions exclude each other."""

    options: tuple[tuple[Cond, Value], ...]


@dataclass(frozen=True, eq=False)
class Seq:
    """A list of plain values, each present under its condition."""

    items: tuple[tuple[Cond, Value], ...]

    @cached_property
    def texts(self) -> dict[str, tuple[Cond, ...]] | None:
        """The conditions of each element; none if there are other elements than texts."""
        found: dict[str, list[Cond]] = {}
        for cond, element in self.items:
            if not isinstance(element, str):
                return None
            found.setdefault(element, []).append(cond)
        return {element: tuple(conditions) for element, conditions in found.items()}


@dataclass(frozen=True)
class Part:
    """A piece of output: a string, a free text, or the JSON of a list."""

    cond: Cond
    text: "str | Opaque | Seq"
    line: int


@dataclass(frozen=True, eq=False)
class Text:
    """Output, part after part."""

    parts: tuple[Part, ...]


class Algebra:
    """Operations on values over one space."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.site: object = None
        """The expression that is being evaluated."""
        self.everything, self.nothing = space.everything, space.nothing

    def flag(self, cond: Cond) -> object:
        """Return the truth value that is true under a condition."""
        if cond == self.everything:
            return True
        if cond == self.nothing:
            return False
        return Choice(((cond, True), (self.everything & ~cond, False)))

    def choice(self, results: Iterable[tuple[Cond, Value]]) -> Value:
        """Return one of several values, equal ones together; lists of which one varies become one list."""
        flat: list[tuple[Cond, Value]] = []
        for cond, value in results:
            if isinstance(value, Choice):
                flat.extend((cond & inner, option) for inner, option in value.options)
            else:
                flat.append((cond, value))
        flat = [(cond, value) for cond, value in flat if cond != self.nothing]
        if any(isinstance(value, Seq) for _, value in flat):
            return Seq(tuple(item for cond, value in flat for item in self.items(value, cond)))
        if any(isinstance(value, Text) for _, value in flat):
            return Text(tuple(part for cond, value in flat for part in self.parts(value, cond, 0)))
        merged: list[tuple[Cond, Value]] = []
        for cond, value in flat:
            for place, (known, other) in enumerate(merged):
                if same(value, other):
                    merged[place] = (known | cond, other)
                    break
            else:
                merged.append((cond, value))
                if len(merged) > LIMIT:
                    raise RefusedError("a value of the template takes too many forms", "loop over the pieces instead")
        return merged[0][1] if len(merged) == 1 else Choice(tuple(merged))

    def options(self, value: Value, cond: Cond) -> list[tuple[Cond, Value]]:
        """List the plain values that something takes under a condition."""
        if isinstance(value, Choice):
            found = [(cond & inner, option) for inner, option in value.options]
            return [(inner, option) for inner, option in found if inner != self.nothing]
        if isinstance(value, Seq | Text):
            found = [(cond, [])]
            for inner, element in self._elements(value):
                found = [
                    (rest, [*so_far, *extra])
                    for known, so_far in found
                    for rest, extra in ((known & inner, (element,)), (known & ~inner, ()))
                    if rest != self.nothing
                ]
                if len(found) > LIMIT:
                    raise RefusedError("a list of the template takes too many forms", "loop over it instead")
            return found if isinstance(value, Seq) else [(inner, self._joined(texts)) for inner, texts in found]
        return [(cond, value)]

    def _elements(self, value: Seq | Text) -> list[tuple[Cond, Value]]:
        return list(value.items) if isinstance(value, Seq) else [(part.cond, part.text) for part in value.parts]

    def _joined(self, texts: list[Value]) -> Value:
        if any(isinstance(text, Seq) for text in texts):
            raise RefusedError("the JSON of a list that varies is used as a string", "print it, or loop over the list")
        joined = "".join(text.sample if isinstance(text, Opaque) else text for text in texts)
        return self._derived(texts, joined) if any(isinstance(text, Opaque) for text in texts) else joined

    def lift(self, cond: Cond, function: Callable[..., Value], *arguments: Value) -> Value:
        """Apply a function to every combination of its arguments' values."""
        if not any(isinstance(argument, Choice | Seq | Text | Opaque | Missing) for argument in arguments):
            return function(*arguments)
        combined: list[tuple[Cond, tuple[Value, ...]]] = [(cond, ())]
        for argument in arguments:
            combined = [
                (rest, (*values, value))
                for known, values in combined
                for inner, value in self.options(argument, known)
                if (rest := known & inner) != self.nothing
            ]
            if len(combined) > LIMIT:
                raise RefusedError("an expression of the template takes too many forms", "loop over the pieces instead")
        return self.choice([(known, self._apply(known, function, values)) for known, values in combined])

    def _apply(self, cond: Cond, function: Callable[..., Value], values: Sequence[Value]) -> Value:
        for value in values:
            if isinstance(value, Missing):
                raise FailureError(f"{value.name} is undefined", cond)
        if not any(isinstance(value, Opaque) for value in values):
            return function(*values)
        result = function(*(value.sample if isinstance(value, Opaque) else value for value in values))
        derived = self._derived(values, str(result) if isinstance(result, str) else "")
        if isinstance(result, str):
            return derived
        if result is not None and not isinstance(result, bool):
            raise RefusedError(f"the template computes with the free text {derived.name}", "texts may only be printed")
        fact = self.space.text_fact(derived.trace, sample=result is True)
        if result is None:
            return Choice(((fact, replace(derived, filled=True)), (self.space.without(fact), None)))
        return self.flag(fact)

    def _derived(self, values: Sequence[Value], sample: str) -> Opaque:
        texts = [value for value in values if isinstance(value, Opaque)]
        others = [value if isinstance(value, Opaque) else repr(value) for value in values]
        return Opaque(texts[0].name, sample, trace=f"{self.site!r}{others}")

    def truth(self, value: Value, cond: Cond) -> Cond:
        """Return the condition, within another, under which a value counts as true."""
        if isinstance(value, Choice):
            return self.space.union(self.truth(option, cond & inner) for inner, option in value.options)
        if isinstance(value, Seq | Text):
            return cond & self.space.union(inner for inner, element in self._elements(value) if element != "")
        if isinstance(value, Opaque) and not value.filled:
            if not value.trace:
                return cond & self.space.text_is_set(value.name)
            return cond & self.space.text_fact(value.trace, sample=bool(value.sample))
        if isinstance(value, Missing):
            raise FailureError(f"{value.name} is undefined", cond)
        return cond if value else self.nothing

    def items(self, value: Value, cond: Cond) -> list[tuple[Cond, Value]]:
        """List the elements over which a loop iterates under a condition."""
        if isinstance(value, Seq):
            found = [(cond & inner, element) for inner, element in value.items]
        elif isinstance(value, Choice):
            found = [item for inner, option in value.options for item in self.items(option, cond & inner)]
        elif isinstance(value, Missing):
            raise FailureError(f"{value.name} is undefined", cond)
        elif isinstance(value, str | Opaque | Text):
            raise RefusedError("the template loops over the letters of a string", "loop over a list")
        else:
            varying = any(isinstance(element, Choice | Seq | Text) for element in value)
            if not varying:
                return [] if cond == self.nothing else [(cond, element) for element in value]
            found = [pair for element in value for pair in self.options(element, cond)]
        return [(inner, element) for inner, element in found if inner != self.nothing]

    def contains(self, container: Value, value: Value, cond: Cond) -> Value:
        """Return the condition under which a value is in a list."""
        if not isinstance(container, Seq):
            return self.lift(cond, lambda value, container: value in container, value, container)
        if isinstance(value, str) and container.texts is not None:
            return self.flag(self.space.union(inner & cond for inner in container.texts.get(value, ())))
        found = (
            inner & known
            for known, option in self.options(value, cond)
            for inner, element in container.items
            if element == option
        )
        return self.flag(self.space.union(found))

    def merge(self, cond: Cond, new: Value, old: Value) -> Value:
        """Return one value under a condition and another one elsewhere."""
        if new is old or cond == self.everything:
            return new
        elsewhere = self.everything & ~cond
        if isinstance(new, Seq | list) and isinstance(old, Seq | list):
            mine, theirs = self.items(new, self.everything), self.items(old, self.everything)
            # The common beginning stays one list; only the rest depends on the condition.
            shared = 0
            for (inner, element), (other, known) in zip(mine, theirs, strict=False):
                if not same(element, known) or cond & inner != cond & other:
                    break
                shared += 1
            rest = [(cond & inner, element) for inner, element in mine[shared:]]
            rest += [(elsewhere & inner, element) for inner, element in theirs[shared:]]
            return Seq((*theirs[:shared], *((inner, element) for inner, element in rest if inner != self.nothing)))
        return self.choice([(cond, new), (elsewhere, old)])

    def parts(self, value: Value, cond: Cond, line: int) -> list[Part]:
        """Print a value."""
        if isinstance(value, Text):
            found = [Part(cond & part.cond, part.text, line or part.line) for part in value.parts]
            return [part for part in found if part.cond != self.nothing]
        if isinstance(value, Missing):
            raise FailureError(f"{value.name} is undefined", cond)
        if isinstance(value, Opaque):
            return [Part(cond, value, line)]
        if isinstance(value, Choice):
            return [part for inner, option in self.options(value, cond) for part in self.parts(option, inner, line)]
        if isinstance(value, Seq):
            return [part for inner, option in self.options(value, cond) for part in self.parts(option, inner, line)]
        if value is None:
            raise FailureError("it prints None", cond)
        return [Part(cond, str(value), line)]


def same(one: Value, other: Value) -> bool:
    """Return whether two plain values are the same, `True` and `1` not being."""
    return type(one) is type(other) and bool(one == other)
