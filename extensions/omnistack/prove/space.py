"""The space of answers: sets of answer sets as binary decision diagrams.

A condition (`Cond`) is a set of answer sets. A yes-or-no question is one variable; a question with choices has one
variable a choice, exactly one of which is true; whether a free text is empty is one variable, created on demand. Every
condition lies within `everything`, so that equal conditions are equal objects: the complement is `without`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxidd.bdd import BDDFunction, BDDManager

from omnistack.template.catalog import Answer, Question

type Cond = BDDFunction

SAMPLE_TEXT = "set@example.com"
"""Represents an optional free text that is filled in."""
NODES = 1 << 23
"""Maximum number of nodes of all conditions together. The mutants of a million answer sets need over two million."""
CACHE = 1 << 18


@dataclass(frozen=True)
class Variable:
    """A question with finitely many answers, and the condition of each."""

    name: str
    conditions: Mapping[Answer, Cond]


class Space:
    """All answer sets of some questions."""

    def __init__(self, questions: Iterable[Question]) -> None:
        self._manager = BDDManager(NODES, CACHE, 1)
        self.nothing: Cond = self._manager.false()
        self.questions = tuple(questions)
        everything = self._manager.true()
        raw: dict[str, dict[Answer, Cond]] = {}
        for question in self.questions:
            if not question.values:
                continue
            names = [question.name] if question.type == "bool" else [f"{question.name}={v}" for v in question.values]
            bits = [self._manager.var(bit) for bit in self._manager.add_named_vars(names)]
            if question.type == "bool":
                raw[question.name] = {True: bits[0], False: ~bits[0]}
                continue
            alone = {value: self._alone(bits, place) for place, value in enumerate(question.values)}
            raw[question.name] = alone
            everything = everything & self.union(alone.values())
        self._finite = self._manager.num_vars()
        self._texts: dict[str, Cond] = {}
        self._facts: dict[str, tuple[Cond, bool]] = {}
        self.everything: Cond = everything
        self.variables = {
            name: Variable(name, {value: cond & everything for value, cond in values.items()})
            for name, values in raw.items()
        }

    def _alone(self, bits: Sequence[Cond], place: int) -> Cond:
        cond = self._manager.true()
        for position, bit in enumerate(bits):
            cond = cond & (bit if position == place else ~bit)
        return cond

    def union(self, conditions: Iterable[Cond]) -> Cond:
        """Return the union of the conditions."""
        cond = self.nothing
        for other in conditions:
            cond = cond | other
        return cond

    def without(self, cond: Cond) -> Cond:
        """Return all answer sets outside a condition."""
        return self.everything & ~cond

    @property
    def texts(self) -> frozenset[str]:
        """The free texts whose emptiness a condition depends on."""
        return frozenset(self._texts)

    def text_is_set(self, name: str) -> Cond:
        """Return the condition that a free text is not empty."""
        if name not in self._texts:
            (bit,) = self._manager.add_named_vars([f"{name}!=''"])
            self._texts[name] = self._manager.var(bit)
        return self.everything & self._texts[name]

    def text_fact(self, what: str, *, sample: bool) -> Cond:
        """Return the condition that something else holds of a free text; `sample` tells whether of the sample's.

        Nothing is known of it, so that both is looked at: what is proved holds whatever people write.
        """
        if what not in self._facts:
            (bit,) = self._manager.add_named_vars([what])
            self._facts[what] = (self._manager.var(bit), sample)
        return self.everything & self._facts[what][0]

    def count(self, cond: Cond) -> int:
        """Count the answers to the questions with choices that some texts put into a condition."""
        for bit in (*self._texts.values(), *(fact for fact, _ in self._facts.values())):
            cond = cond.exists(bit)
        return cond.sat_count(self._finite)

    def project(self, cond: Cond, *forget: str) -> Cond:
        """Forget the answers to some questions."""
        for name in forget:
            for value in self.variables[name].conditions:
                bit = name if isinstance(value, bool) else f"{name}={value}"
                cond = cond.exists(self._manager.var(bit))
        return cond

    def depends_on(self, cond: Cond) -> set[str]:
        """Name the questions that decide a condition."""
        return {name for name in self.variables if self._matters(cond, name)}

    def _matters(self, cond: Cond, name: str) -> bool:
        return self.everything & self.project(cond, name) != cond

    def pick(self, cond: Cond, preferred: Mapping[str, Answer] | None = None) -> dict[str, Answer] | None:
        """Return one answer set of a condition, with the preferred answers where possible; `None` if it is empty."""
        if cond == self.nothing:
            return None
        picked: dict[str, Answer] = {}
        for name, variable in self.variables.items():
            first = (preferred or {}).get(name)
            for value in sorted(variable.conditions, key=lambda value: value != first):
                rest = cond & variable.conditions[value]
                if rest != self.nothing:
                    picked[name], cond = value, rest
                    break
        for name, bit in self._texts.items():
            if cond & bit == self.nothing:
                picked[name] = ""
            elif cond & ~bit == self.nothing:
                picked[name] = SAMPLE_TEXT
        return picked

    def condition(self, answers: Mapping[str, Answer]) -> Cond:
        """Return the condition that these answers are given; those to free texts count as empty or not."""
        cond = self.everything
        for name, value in answers.items():
            if name in self.variables:
                cond = cond & self.variables[name].conditions[value]
            elif name in self._texts:
                cond = cond & (self._texts[name] if value else ~self._texts[name])
        return cond

    def holds(self, cond: Cond, at: Mapping[str, Answer]) -> bool:
        """Return whether a condition holds one complete answer set."""
        return cond.eval(self.bits(at))

    def bits(self, at: Mapping[str, Answer]) -> list[tuple[int, bool]]:
        """Write a complete answer set as values of the variables, for `eval`."""
        values: dict[str, bool] = {}
        for name, variable in self.variables.items():
            for value in variable.conditions:
                if isinstance(value, bool):
                    values[name] = at[name] is True
                else:
                    values[f"{name}={value}"] = at[name] == value
        for name in self._texts:
            values[f"{name}!=''"] = bool(at.get(name, True))
        values |= {name: sample for name, (_, sample) in self._facts.items()}
        return [(self._number(name), value) for name, value in values.items()]

    def _number(self, name: str) -> int:
        number = self._manager.name_to_var(name)
        if number is None:
            raise KeyError(name)
        return number

    def is_of(self, questions: Iterable[Question]) -> bool:
        """Return whether it is the space of these questions and choices."""
        mine, theirs = ([(each.name, each.values) for each in some] for some in (self.questions, questions))
        return mine == theirs

    def all_answers(self, cond: Cond) -> Iterator[dict[str, Answer]]:
        """Enumerate a condition's answer sets, for small ones."""
        yield from self._extend({}, list(self.variables), cond)

    def _extend(self, so_far: dict[str, Answer], names: list[str], cond: Cond) -> Iterator[dict[str, Answer]]:
        if not names:
            yield dict(so_far)
            return
        for value, option in self.variables[names[0]].conditions.items():
            rest = cond & option
            if rest != self.nothing:
                yield from self._extend({**so_far, names[0]: value}, names[1:], rest)


class Conditions[Key](dict[Key, Cond]):
    """Conditions by key. A key that was never added has the empty condition."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self._nothing = space.nothing

    def __missing__(self, key: Key) -> Cond:
        return self._nothing

    def add(self, key: Key, cond: Cond) -> None:
        """Widen the condition of a key."""
        self[key] = self[key] | cond
