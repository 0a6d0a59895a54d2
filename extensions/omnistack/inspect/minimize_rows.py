"""Minimising a covering array: fewer rows, and fewer pieces in each row, with the same coverage."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from omnistack.template.catalog import Answer

type Combination = tuple[tuple[str, Answer], ...]
type Rule = tuple[str, str, bool]
"""If the first answer is true, the second one has the value."""


def minimize_rows(
    rows: Sequence[Mapping[str, Answer]],
    rules: Sequence[Rule],
    strength: int,
    given: Sequence[Mapping[str, Answer]] = (),
) -> list[dict[str, Answer]]:
    """Answer no wherever that loses no combination, then drop the rows that are no longer needed.

    Generators of covering arrays fill the answers that they are free to choose with arbitrary values, and a row with
    every piece takes several times as long to test as one with few. The combinations of the `given` rows count as
    covered.
    """
    minimal = [dict(row) for row in rows]
    counts = Counter(combination for row in (*given, *minimal) for combination in _combinations(row, strength))
    # From the end: the last rows cover the fewest combinations. Repeated, because one no may allow another.
    while any(
        _answer_no(row, name, counts, strength)
        for row in reversed(minimal)
        for name in reversed(row)
        if row[name] is True and _is_valid({**row, name: False}, rules)
    ):
        pass
    needed = []
    for row in reversed(minimal):
        own = list(_combinations(row, strength))
        if all(counts[one] > 1 for one in own):
            counts.subtract(own)
        else:
            needed.append(row)
    return needed[::-1]


def _answer_no(row: dict[str, Answer], name: str, counts: Counter[Combination], strength: int) -> bool:
    """Answer no, unless only this row covers a combination with the yes; return whether the answer changed."""
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
