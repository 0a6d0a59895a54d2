"""A covering array with as little in each row as its coverage allows: what is not there takes no time to test."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from omnistack.template.catalog import Answer

type Combination = tuple[tuple[str, Answer], ...]
type Rule = tuple[str, str, bool]
"""Where the first is true, the second has the value."""


def make_lean(
    rows: Sequence[Mapping[str, Answer]],
    rules: Sequence[Rule],
    strength: int,
    given: Sequence[Mapping[str, Answer]] = (),
) -> list[dict[str, Answer]]:
    """Answer with no wherever that loses no combination, and leave out rows that are not needed then.

    Generators of covering arrays fill what they are free to choose with anything; a row that chooses everything takes
    several times as long as one that chooses little. What a given row holds need not be in another one.
    """
    leaner = [dict(row) for row in rows]
    counts = Counter(combination for row in (*given, *leaner) for combination in _combinations(row, strength))
    # From the end: the last rows are there for few combinations. Again, since one no may allow the next.
    while any(
        _answer_no(row, name, counts, strength)
        for row in reversed(leaner)
        for name in reversed(row)
        if row[name] is True and _is_valid({**row, name: False}, rules)
    ):
        pass
    needed = []
    for row in reversed(leaner):
        own = list(_combinations(row, strength))
        if all(counts[one] > 1 for one in own):
            counts.subtract(own)
        else:
            needed.append(row)
    return needed[::-1]


def _answer_no(row: dict[str, Answer], name: str, counts: Counter[Combination], strength: int) -> bool:
    """Change one answer, unless this row alone has a combination with its yes; tell whether it was changed."""
    before = [one for one in _combinations(row, strength) if (name, True) in one]
    if any(counts[one] == 1 for one in before):
        return False
    counts.subtract(before)
    row[name] = False
    counts.update(one for one in _combinations(row, strength) if (name, False) in one)
    return True


def _is_valid(row: Mapping[str, Answer], rules: Sequence[Rule]) -> bool:
    return all(row[effect] is value for cause, effect, value in rules if row[cause] is True)


def _combinations(row: Mapping[str, Answer], strength: int) -> Iterator[Combination]:
    return combinations(row.items(), strength)
