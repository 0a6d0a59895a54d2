"""The executed combinations of answers, out of all valid ones, and the page that shows them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from omnistack.inspect.matrix import factors, rules
from omnistack.suites.record import Entry, by_date
from omnistack.template.catalog import Answer, Catalog, plain

type Combination = tuple[tuple[str, Answer], ...]

HEADER = """\
# What has been executed

Written by `uv run nox -s suites -- --write`; do not edit. Each cell is an answer set that was rendered and then
installed, migrated, booted, extended by a user's own module, linted, type-checked for Linux, macOS and Windows, tested
by the project's own suite, and downgraded to an empty database.

[coverage.json](coverage.json) records each cell that passed, with a digest of everything that could change its outcome:
every file of the rendering, its lock, the interpreter, and the code of the suites. A cell whose digest is in the record
is not executed again, except with `--all`. One changed byte gives another digest. Failures and second attempts are
never recorded.
"""


@dataclass(frozen=True)
class ListedCell:
    """A cell as the page shows it."""

    name: str
    answers: Mapping[str, Answer]
    arguments: str
    digest: str


@dataclass(frozen=True)
class Coverage:
    """The number of valid combinations of N answers in at least one executed cell."""

    strength: int
    valid: int
    missing: tuple[Combination, ...]

    @property
    def executed(self) -> int:
        """The number of combinations that are in a cell."""
        return self.valid - len(self.missing)

    def __str__(self) -> str:
        """As in `57 of 57 pairs (100 %)`."""
        name = {1: "single answers", 2: "pairs", 3: "triples"}.get(self.strength, f"combinations of {self.strength}")
        share = 100 if not self.missing else min(99, self.executed * 100 // self.valid)
        return f"{self.executed} of {self.valid} {name} ({share} %)"


def coverage(catalog: Catalog, executed: Sequence[Mapping[str, Answer]], strength: int) -> Coverage:
    """Count by looking at every combination, without knowing how the cells were chosen."""
    names = list(factors(catalog))
    valid = list(valid_combinations(catalog, strength))
    done = {combination for answers in executed for combination in combinations_of(answers, names, strength)}
    return Coverage(strength, len(valid), tuple(one for one in valid if one not in done))


def combinations_of(answers: Mapping[str, Answer], names: Iterable[str], strength: int) -> set[Combination]:
    """Return every combination of N of these answers."""
    return set(combinations(sorted((name, answers[name]) for name in names), strength))


def valid_combinations(catalog: Catalog, strength: int) -> Iterable[Combination]:
    """Yield every combination of N answers that some valid answer set holds."""
    values = factors(catalog)
    implications = rules(catalog)
    for names in combinations(sorted(values), strength):
        for picked in product(*(values[name] for name in names)):
            answers = dict(zip(names, picked, strict=True))
            if _consistent(answers, implications):
                yield tuple(answers.items())


def last_executed(catalog: Catalog, entries: Sequence[Entry]) -> dict[Combination, Entry]:
    """Map every valid pair that the record holds to its latest entry; questions may have been added since."""
    names = sorted(factors(catalog))
    valid = set(valid_combinations(catalog, 2))
    latest: dict[Combination, Entry] = {}
    for entry in by_date(entries):
        known = [(name, entry.answers[name]) for name in names if name in entry.answers]
        latest |= dict.fromkeys(valid.intersection(combinations(known, 2)), entry)
    return latest


def worth_keeping(catalog: Catalog, entries: Sequence[Entry], current: Collection[str]) -> list[Entry]:
    """Choose the entries of this version's renderings, and the latest entry of every pair."""
    needed = {entry.digest for entry in last_executed(catalog, entries).values()}
    return [entry for entry in entries if entry.digest in current or entry.digest in needed]


def page(catalog: Catalog, cells: Sequence[ListedCell], entries: Sequence[Entry], not_run: Sequence[str]) -> str:
    """Write the page `docs/coverage.md`.

    Args:
        catalog: this version's.
        cells: all cells of this version.
        entries: the record.
        not_run: what could not be run on this machine, a sentence each.
    """
    known = {entry.digest: entry for entry in entries}
    current = [known[cell.digest] for cell in cells if cell.digest in known]
    lines = [HEADER, "| | at this version |", "|---|---|"]
    for strength in (2, 3):
        answers = [cell.answers for cell in cells if cell.digest in known]
        lines.append(f"| strength {strength} | {coverage(catalog, answers, strength)} |")
    lines += ["", "## When each pair was last executed", "", "| date | commit | pairs |", "|---|---|---|"]
    latest = last_executed(catalog, entries)
    runs = Counter((entry.date, entry.commit[:7]) for entry in latest.values())
    lines += [f"| {date} | `{commit}` | {count} |" for (date, commit), count in sorted(runs.items(), reverse=True)]
    now = {entry.digest for entry in current}
    old = sorted((f"{_shown(pair)}: {entry}" for pair, entry in latest.items() if entry.digest not in now), key=str)
    never = [f"{_shown(pair)}: never" for pair in valid_combinations(catalog, 2) if pair not in latest]
    if old or never:
        lines += ["", "Pairs whose renderings have changed since, and pairs that were never executed:", ""]
        lines += [f"- {line}" for line in (*never, *old)]
    lines += ["", "## Cells", "", "| cell | last executed | Python | seconds | answers |", "|---|---|---|---|---|"]
    lines += [_row(cell, known.get(cell.digest)) for cell in cells]
    if not_run:
        lines += ["", "Not possible on the machine that wrote this page:", "", *(f"- {reason}" for reason in not_run)]
    return "\n".join(lines) + "\n"


def _row(cell: ListedCell, entry: Entry | None) -> str:
    arguments = f"`{cell.arguments}`"
    if entry is None:
        return f"| {cell.name} | not at this version | | | {arguments} |"
    return f"| {cell.name} | {entry.date}, `{entry.commit[:7]}` | {entry.python} | {entry.seconds} | {arguments} |"


def _shown(pair: Combination) -> str:
    return " with ".join(f"`{name}={plain(value)}`" for name, value in pair)


def _consistent(answers: Mapping[str, Answer], implications: Sequence[tuple[str, str, bool]]) -> bool:
    """Return whether all rules can hold: a yes forces other answers, and no answer is forced both ways."""
    known = dict(answers)
    # As often as there are rules: a forced yes may force the next.
    for _ in implications:
        for cause, effect, value in implications:
            if known.get(cause) is True and known.setdefault(effect, value) is not value:
                return False
    return True
