"""What the suites say that they have executed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from omnistack.inspect.matrix import Row, make_rows
from omnistack.suites.coverage import coverage, page, valid_combinations
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


def test_the_page_lists_cells_counts_and_what_was_not_run(rows: list[Row], catalog: Catalog) -> None:
    row = replace(rows[0], name="one")
    text = page([coverage(catalog, [row.answers], 2)], [(row.name, "-d a=b")], ["Python 9.9 is not installed."])
    assert "| one | `-d a=b` |" in text
    assert "pairs" in text
    assert "- Python 9.9 is not installed." in text
