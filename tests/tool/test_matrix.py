"""The covering array, checked by an independent search over all that is valid."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from omnistack.inspect.matrix import cover, factors, make_rows, parse_shard, rules, take_shard
from omnistack.shell.errors import OmniError
from omnistack.shell.progress import out
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Answer, Catalog, Choice, Piece, Question, load_catalog
from omnistack.template.source import Template

from tests.conftest import CHECKOUT
from tests.tool.conftest import Run
from tests.tool.test_new_refuses import add_billing


def piece(name: str, *, requires: list[str] | None = None, conflicts: list[str] | None = None) -> Piece:
    """Make a piece that a yes-or-no question chooses."""
    lists: dict[str, list[str]] = {
        key: [] for key in ("presets", "dependencies", "dev_dependencies", "paths", "settings", "services", "owns")
    }
    fields = {
        "name": name,
        "label": name,
        "help": name,
        "kind": "module",
        "always": False,
        "port": None,
        "module": None,
    }
    return Piece.model_validate({**fields, **lists, "requires": requires or [], "conflicts": conflicts or []})


def made_up_catalog(switches: int = 5) -> Catalog:
    """Chains of requirements, a conflict, and consequences that no single rule states."""
    pieces = [
        piece("a", requires=["b"]),
        piece("b", requires=["c"]),
        piece("c"),
        piece("d", conflicts=["c"]),
        *(piece(f"s{number}") for number in range(switches)),
    ]
    choices = tuple(Choice(value=value, label=value) for value in ("x", "y", "z"))
    questions = [
        Question(name="preset", type="str", help="", choices=choices, default="x"),
        Question(name="version", type="str", help="", choices=choices, default="x"),
        Question(name="port", type="str", help="", choices=(*choices, Choice(value="none", label="")), default="x"),
        Question(name="text", type="str", help="", choices=(), default=""),
        *(Question(name=one.name, type="bool", help="", choices=(), default=False) for one in pieces),
    ]
    return Catalog(pieces, questions)


def is_valid(row: Mapping[str, Answer]) -> bool:
    """State the rules of the made-up catalog once more, by hand."""
    return not (row["a"] and not row["b"]) and not (row["b"] and not row["c"]) and not (row["d"] and row["c"])


def valid_tuples(catalog: Catalog, strength: int) -> set[tuple[tuple[str, Answer], ...]]:
    """Find every combination that some valid whole set holds, by trying all sets."""
    values = factors(catalog)
    names = list(values)
    bound = ["a", "b", "c", "d"]
    found: set[tuple[tuple[str, Answer], ...]] = set()
    for chosen in itertools.combinations(names, strength):
        # What is free of rules cannot make the rest invalid: only the bound ones are completed.
        for combination in itertools.product(*(values[name] for name in chosen)):
            part = dict(zip(chosen, combination, strict=True))
            rest = [name for name in bound if name not in part]
            completions = itertools.product(*(values[name] for name in rest))
            if any(is_valid({**part, **dict(zip(rest, more, strict=True))}) for more in completions):
                found.add(tuple(part.items()))
    return found


def held(rows: list[dict[str, Answer]], strength: int) -> Iterator[tuple[tuple[str, Answer], ...]]:
    for row in rows:
        yield from itertools.combinations(row.items(), strength)


@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize("strength", [1, 2, 3])
def test_every_valid_combination_is_in_a_row_and_every_row_is_valid(strength: int, seed: int) -> None:
    catalog = made_up_catalog()
    rows = cover(catalog, strength=strength, seed=seed)
    assert all(is_valid(row) for row in rows)
    assert set(held(rows, strength)) == valid_tuples(catalog, strength)


def test_it_is_far_smaller_than_all_there_is() -> None:
    catalog = made_up_catalog(switches=16)
    assert len(cover(catalog, strength=2, seed=0)) < 40


def test_the_real_questions_are_covered_and_copier_refuses_what_is_left_out() -> None:
    template = Template(source=str(CHECKOUT), root=CHECKOUT)
    questionnaire = Questionnaire(template)
    rows = [dict(row.answers) for row in make_rows(template, strength=2, seed=0)]
    pairs = set(held([{name: row[name] for name in factors(template.catalog)} for row in rows], 2))
    for (one, values), (other, others) in itertools.combinations(factors(template.catalog).items(), 2):
        for value, another in itertools.product(values, others):
            if ((one, value), (other, another)) not in pairs:
                answers: dict[str, Answer] = {one: value, other: another}
                assert questionnaire.problem(one, value, answers) or questionnaire.problem(other, another, answers)


def test_what_a_given_row_holds_is_in_no_other_one_without_need() -> None:
    catalog = made_up_catalog()
    everything: dict[str, Answer] = {name: values[0] for name, values in factors(catalog).items()} | {
        "a": True, "b": True, "c": True, "d": False, "s0": True, "s1": True, "s2": True, "s3": True, "s4": True,
    }  # fmt: skip
    rows = cover(catalog, strength=2, seed=0, given=[everything])
    assert all(is_valid(row) for row in rows)
    assert set(held([*rows, everything], 2)) == valid_tuples(catalog, 2)
    alone = cover(catalog, strength=2, seed=0)
    assert sum(list(row.values()).count(True) for row in rows) < sum(list(row.values()).count(True) for row in alone)


def test_rules_come_from_the_catalog(small: Path) -> None:
    add_billing(small)
    catalog = load_catalog(small)
    assert ("billing", "projects", True) in rules(catalog)
    rows = cover(catalog, strength=2, seed=0)
    assert not any(row["billing"] and not row["projects"] for row in rows)
    assert any(row["billing"] for row in rows)


def test_texts_and_the_preset_are_no_factors() -> None:
    assert list(factors(made_up_catalog(0))) == ["version", "port", "a", "b", "c", "d"]


def test_presets_are_always_rows(run: Run) -> None:
    rows = json.loads(run("matrix", "--format", "json").out)
    given = [row["arguments"] for row in rows]
    for preset in ("minimal", "saas", "mobile", "ai", "everything"):
        assert ["-d", f"preset={preset}"] in given
    assert all("preset=custom" in arguments for arguments in given[5:])
    assert len({row["name"] for row in rows}) == len(rows)


def test_the_same_seed_gives_the_same_rows_in_every_process() -> None:
    outputs = set()
    for hash_seed in ("1", "2"):
        code = "from omnistack.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "matrix", "--format", "json", "--seed", "3"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "OMNISTACK_TEMPLATE": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert json.loads(outputs.pop())


def test_shards_are_disjoint_and_together_all(run: Run) -> None:
    whole = json.loads(run("matrix", "--format", "json").out)
    parts = [json.loads(run("matrix", "--format", "json", "--shard", f"{part}/3").out) for part in (1, 2, 3)]
    assert sorted(row["name"] for part in parts for row in part) == sorted(row["name"] for row in whole)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_githubs_matrix_has_a_name_and_arguments_that_new_takes(run: Run, tmp_path: Path) -> None:
    matrix = json.loads(run("matrix", "--format", "github", "--shard", "8/10").out)
    (row,) = matrix["include"][:1]
    assert set(row) == {"name", "arguments", "python_version"}
    assert run("new", tmp_path / "made", "--defaults", "--dry-run", *row["arguments"].split()).status == 0


def test_the_table_says_how_many(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    out.cache_clear()
    done = run("matrix", "--strength", "1")
    assert re.search(r"^\d+ answer sets$", done.out, re.MULTILINE)
    assert re.search(
        r"^ *saas .* redis jobs stripe contact projects websocket .* toolbox metrics sentry own_server github_actions "
        r"load_tests *$",
        done.out,
        re.MULTILINE,
    )


def test_the_table_is_read_in_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out.cache_clear()
    shown = run("matrix").out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert re.search(r"^ *python +auth +email +storage +with *$", shown, re.MULTILINE)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_bad_shard_is_refused(text: str) -> None:
    with pytest.raises(OmniError, match="write it as I/N"):
        parse_shard(text)


def test_more_shards_than_rows_leave_some_empty() -> None:
    assert take_shard([], parse_shard("5/5")) == []


@pytest.mark.parametrize("strength", ["0", "99"])
def test_a_strength_that_cannot_be_is_refused(run: Run, strength: str) -> None:
    done = run("matrix", "--strength", strength)
    assert done.status == 1
    assert "choose from 1 to" in done.err


@pytest.mark.parametrize("strength", [2, 3])
def test_a_row_says_yes_only_where_that_is_needed(strength: int) -> None:
    catalog = made_up_catalog()
    rows = cover(catalog, strength=strength, seed=0)
    assert made_up_coverage(rows, strength) == valid_tuples(catalog, strength)
    for number, row in enumerate(rows):
        for name in [name for name, value in row.items() if value is True]:
            without = [*rows[:number], {**row, name: False}, *rows[number + 1 :]]
            needed = not is_valid(without[number]) or made_up_coverage(without, strength) < made_up_coverage(
                rows, strength
            )
            assert needed, f"{name} in {row}"


def made_up_coverage(rows: list[dict[str, Answer]], strength: int) -> set[tuple[tuple[str, Answer], ...]]:
    return {part for row in rows for part in itertools.combinations(row.items(), strength)}
