"""Which combinations of answers have been executed, out of all valid ones; and the page that says so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from omnistack.inspect.matrix import factors, rules
from omnistack.template.catalog import Answer, Catalog

type Combination = tuple[tuple[str, Answer], ...]

HEADER = """\
# What has been executed

Written by `uv run nox -s suites -- --write`; do not edit. Each cell is an answer set that was rendered and then
installed, linted, typed, migrated, booted, tested by the project's own suite, and downgraded to an empty database.
"""


@dataclass(frozen=True)
class Coverage:
    """How many valid combinations of N answers stand in at least one executed cell."""

    strength: int
    valid: int
    missing: tuple[Combination, ...]

    @property
    def executed(self) -> int:
        """Those that do."""
        return self.valid - len(self.missing)

    def __str__(self) -> str:
        """As in `57 of 57 pairs (100 %)`."""
        name = {1: "single answers", 2: "pairs", 3: "triples"}.get(self.strength, f"combinations of {self.strength}")
        share = 100 if not self.missing else min(99, self.executed * 100 // self.valid)
        return f"{self.executed} of {self.valid} {name} ({share} %)"


def coverage(catalog: Catalog, executed: Sequence[Mapping[str, Answer]], strength: int) -> Coverage:
    """Counts by looking at every combination, without knowing how the cells were chosen."""
    names = list(factors(catalog))
    valid = list(valid_combinations(catalog, strength))
    done = {
        combination
        for answers in executed
        for combination in combinations(sorted((name, answers[name]) for name in names), strength)
    }
    return Coverage(strength, len(valid), tuple(one for one in valid if one not in done))


def valid_combinations(catalog: Catalog, strength: int) -> Iterable[Combination]:
    """Every combination of N answers that some valid answer set holds."""
    values = factors(catalog)
    implications = rules(catalog)
    for names in combinations(sorted(values), strength):
        for picked in product(*(values[name] for name in names)):
            answers = dict(zip(names, picked, strict=True))
            if _consistent(answers, implications):
                yield tuple(answers.items())


def page(coverages: Iterable[Coverage], cells: Iterable[tuple[str, str]], not_run: Iterable[str]) -> str:
    """The page `docs/coverage.md`: the counts, the cells as (name, arguments), and what could not be run."""
    lines = [HEADER, "| | |", "|---|---|"]
    lines += [f"| strength {one.strength} | {one} |" for one in coverages]
    lines += ["", "| cell | answers |", "|---|---|", *(f"| {name} | `{arguments}` |" for name, arguments in cells)]
    missing = [f"- {reason}" for reason in not_run]
    if missing:
        lines += ["", "Not executed on the machine that wrote this page:", "", *missing]
    return "\n".join(lines) + "\n"


def _consistent(answers: Mapping[str, Answer], implications: Sequence[tuple[str, str, bool]]) -> bool:
    """Whether all rules can hold: what is answered yes forces others, and nothing is forced to both."""
    known = dict(answers)
    # As often as there are rules: a forced yes may force the next.
    for _ in implications:
        for cause, effect, value in implications:
            if known.get(cause) is True and known.setdefault(effect, value) is not value:
                return False
    return True
