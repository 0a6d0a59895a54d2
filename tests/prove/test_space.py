"""Sets of answer sets."""

import pytest
from omnistack.prove.space import SAMPLE_TEXT, Conditions, Space
from omnistack.template.catalog import Choice, Question


def question(name: str, *values: str) -> Question:
    kind = "str" if values else "bool"
    choices = tuple(Choice(value=value, label=value) for value in values)
    return Question.model_validate({"name": name, "type": kind, "help": "", "choices": choices, "default": ""})


@pytest.fixture
def space() -> Space:
    return Space([question("auth", "a", "b", "c"), question("jobs"), question("redis")])


def test_counts_answer_sets_and_not_assignments_of_bits(space: Space) -> None:
    assert space.count(space.everything) == 12
    assert space.count(space.variables["auth"].conditions["b"]) == 4
    assert space.count(space.nothing) == 0


def test_one_choice_excludes_the_others(space: Space) -> None:
    conditions = space.variables["auth"].conditions
    assert conditions["a"] & conditions["b"] == space.nothing
    assert space.union(conditions.values()) == space.everything
    assert space.without(conditions["a"]) == conditions["b"] | conditions["c"]


def test_enumerates_what_it_counts(space: Space) -> None:
    cond = space.variables["jobs"].conditions[True] & space.without(space.variables["auth"].conditions["c"])
    found = list(space.all_answers(cond))
    assert len(found) == space.count(cond) == 4
    assert all(space.holds(cond, answers) for answers in found)
    assert not space.holds(cond, {"auth": "c", "jobs": True, "redis": True})


def test_picks_the_preferred_answers_where_it_can(space: Space) -> None:
    cond = space.variables["jobs"].conditions[True]
    assert space.pick(cond, {"auth": "b", "jobs": False, "redis": False}) == {
        "auth": "b",
        "jobs": True,
        "redis": False,
    }
    assert space.pick(space.nothing) is None


def test_names_the_questions_that_decide(space: Space) -> None:
    cond = space.variables["auth"].conditions["a"] | space.variables["redis"].conditions[True]
    assert space.depends_on(cond) == {"auth", "redis"}


def test_a_free_text_is_empty_or_not_and_counts_once(space: Space) -> None:
    filled = space.text_is_set("email")
    assert space.count(filled) == space.count(space.without(filled)) == 12
    assert (space.pick(filled) or {})["email"] == SAMPLE_TEXT
    assert (space.pick(space.without(filled)) or {})["email"] == ""


def test_a_key_without_a_condition_is_nowhere(space: Space) -> None:
    found = Conditions[str](space)
    assert found["a"] == space.nothing
    assert "a" not in found
    found.add("a", space.everything)
    found.add("a", space.nothing)
    assert found["a"] == space.everything
