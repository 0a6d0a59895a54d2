"""What the suites say that they have executed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from omnistack.inspect.matrix import Row, make_rows
from omnistack.suites.coverage import ListedCell, coverage, last_executed, page, valid_combinations, worth_keeping
from omnistack.suites.record import Entry
from omnistack.template.catalog import Answer, Catalog, load_catalog
from omnistack.template.source import Template

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return make_rows(Template(source=str(ROOT), root=ROOT), strength=2, seed=0)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(ROOT)


def answers(rows: list[Row]) -> list[Mapping[str, Answer]]:
    return [row.answers for row in rows]


def test_all_rows_cover_all_pairs(rows: list[Row], catalog: Catalog) -> None:
    covered = coverage(catalog, answers(rows), 2)
    assert covered.missing == ()
    assert str(covered) == f"{covered.valid} of {covered.valid} pairs (100 %)"


def test_what_was_not_executed_is_named(rows: list[Row], catalog: Catalog) -> None:
    without = [row for row in rows if row.answers["auth"] != "clerk"]
    covered = coverage(catalog, answers(without), 2)
    with_clerk = {pair for pair in valid_combinations(catalog, 2) if ("auth", "clerk") in pair}
    assert with_clerk
    assert with_clerk <= set(covered.missing)
    assert "(100 %)" not in str(covered)


def test_nothing_executed_covers_nothing(catalog: Catalog) -> None:
    covered = coverage(catalog, [], 3)
    assert covered.executed == 0
    assert len(covered.missing) == covered.valid > 0


def test_combinations_that_no_answer_set_holds_do_not_count(catalog: Catalog) -> None:
    projects = catalog.piece("projects")
    needy = projects.model_copy(update={"name": "needy", "requires": ["projects"], "conflicts": []})
    rival = projects.model_copy(update={"name": "rival", "requires": [], "conflicts": ["needy"]})
    question = catalog.questions["projects"]
    extended = Catalog(
        [*catalog.pieces, needy, rival],
        [*catalog.questions.values(), *(question.model_copy(update={"name": name}) for name in ("needy", "rival"))],
    )
    pairs = {frozenset(pair) for pair in valid_combinations(extended, 2)}
    assert frozenset({("needy", True), ("projects", False)}) not in pairs
    assert frozenset({("needy", True), ("rival", True)}) not in pairs
    assert frozenset({("needy", True), ("projects", True)}) in pairs
    assert frozenset({("projects", False), ("rival", True)}) in pairs
    # needy brings projects along, whatever is said of the third.
    triples = {frozenset(triple) for triple in valid_combinations(extended, 3)}
    assert frozenset({("needy", True), ("projects", False), ("rival", False)}) not in triples


def entry(row: Row, digest: str, date: str = "2026-11-27") -> Entry:
    commit = f"{digest}000000000"
    return Entry(
        digest=digest, name=row.name, answers=row.answers, python="3.12.4", commit=commit, date=date, seconds=60
    )


def test_the_page_says_when_each_cell_and_each_pair_was_executed(rows: list[Row], catalog: Catalog) -> None:
    cells = [ListedCell(row.name, row.answers, "-d a=b", str(number)) for number, row in enumerate(rows)]
    entries = [entry(row, str(number)) for number, row in enumerate(rows)]
    text = page(catalog, cells, entries, ["Python 9.9 is not installed."])
    assert f"| {rows[0].name} | 2026-11-27, `0000000` | 3.12.4 | 60 | `-d a=b` |" in text
    assert "pairs (100 %)" in text
    assert "never" not in text.partition("## When")[2]
    assert "- Python 9.9 is not installed." in text


def test_the_page_names_pairs_that_have_changed_since_and_those_never_executed(
    rows: list[Row], catalog: Catalog
) -> None:
    row = rows[0]
    cells = [ListedCell(row.name, row.answers, "-d a=b", "new")]
    text = page(catalog, cells, [entry(row, "old", "2026-01-02")], [])
    assert "0 of" in text
    assert f"| {row.name} | not at this version | | | `-d a=b` |" in text
    assert ": executed at commit old0000 on 2026-01-02" in text
    assert ": never" in text


def test_the_latest_execution_of_a_pair_counts(rows: list[Row], catalog: Catalog) -> None:
    row = rows[0]
    latest = last_executed(catalog, [entry(row, "new", "2026-11-28"), entry(row, "old", "2026-11-01")])
    assert {one.digest for one in latest.values()} == {"new"}


def test_an_entry_from_before_a_question_was_added_still_counts(rows: list[Row], catalog: Catalog) -> None:
    answers = {name: value for name, value in rows[0].answers.items() if name != "auth"}
    latest = last_executed(catalog, [replace(entry(rows[0], "old"), answers=answers)])
    assert latest
    assert not any("auth" in dict(pair) for pair in latest)


def test_old_entries_go_when_a_later_one_holds_their_pairs(rows: list[Row], catalog: Catalog) -> None:
    old, new = entry(rows[0], "old", "2026-11-01"), entry(rows[0], "new")
    other = entry(rows[1], "other", "2026-10-01")
    assert worth_keeping(catalog, [old, new, other], {"new"}) == [new, other]
    assert worth_keeping(catalog, [old, new], {"old"}) == [old, new]
