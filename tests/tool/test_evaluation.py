"""Answers become pieces exactly as Copier records and renders them."""

import itertools
import warnings
from pathlib import Path

import copier
import pytest
import yaml
from omnistack.shell.errors import OmniError
from omnistack.template.answers import Questionnaire, parse_pairs
from omnistack.template.source import Template

from tests.conftest import CHECKOUT
from tests.tool.conftest import write


@pytest.fixture(scope="module")
def questionnaire() -> Questionnaire:
    """The questions of this checkout."""
    return Questionnaire(Template(source=str(CHECKOUT), root=CHECKOUT))


def test_defaults_are_a_whole_set(questionnaire: Questionnaire) -> None:
    made = questionnaire.evaluate({})
    assert list(made.answers) == list(questionnaire.catalog.questions)
    assert (made.answers["preset"], made.answers["projects"]) == ("saas", True)
    assert " ".join(made.chosen) == (
        "core file_stores metrics pipeline property_tests resilience selection sentry timestamps webhook_signatures "
        "auth backup crypto custom github_actions input_types load_tests outbound_http own_server redis toolbox users "
        "websocket audit_log contact email feature_flags impersonation jobs plans projects storage admin "
        "console email_calls email_http local payments remote_storage resend s3_protocol stripe s3"
    )


def test_a_requirement_comes_before_what_requires_it(questionnaire: Questionnaire) -> None:
    for preset in questionnaire.catalog.presets:
        chosen = questionnaire.evaluate({"preset": preset}).chosen
        for place, name in enumerate(chosen):
            assert set(questionnaire.catalog.piece(name).requires) <= set(chosen[:place])


def test_an_evaluation_does_not_hang_on_the_one_before(questionnaire: Questionnaire) -> None:
    before = questionnaire.evaluate({"auth": "clerk"})
    questionnaire.evaluate({"auth": "supabase", "projects": "false"})
    assert questionnaire.evaluate({"auth": "clerk"}) == before


def test_every_answer_set_is_what_a_real_copy_makes_of_it(
    questionnaire: Questionnaire, small: Path, tmp_path: Path
) -> None:
    write(small / "template/chosen.txt.jinja", "{{ chosen | join(' ') }}\n")
    (small / ".git").rename(tmp_path / "gone")  # a plain folder is rendered as it lies
    sets = itertools.product(["minimal", "custom"], ["custom", "supabase", "clerk"], [True, False])
    for number, (preset, auth, projects) in enumerate(sets):
        given = {"preset": preset, "auth": auth, "projects": projects}
        with warnings.catch_warnings(action="ignore"):
            copier.run_copy(str(small), tmp_path / f"made{number}", data=given, defaults=True, quiet=True)
        recorded = yaml.safe_load((tmp_path / f"made{number}/.copier-answers.yml").read_text())
        made = questionnaire.evaluate(given)
        assert {name: value for name, value in recorded.items() if not name.startswith("_")} == made.answers
        assert tuple((tmp_path / f"made{number}/chosen.txt").read_text().split()) == made.chosen


def test_texts_of_the_command_line_become_typed_answers(questionnaire: Questionnaire) -> None:
    made = questionnaire.evaluate({"projects": "No", "python_version": 3.13, "project_name": " 42 "})
    assert made.answers["projects"] is False
    assert made.answers["python_version"] == "3.13"
    assert made.answers["project_name"] == " 42 "


def test_a_later_pair_wins_and_may_hold_an_equals_sign() -> None:
    assert parse_pairs(["a=1", "b=x=y", "a=2"]) == {"a": "2", "b": "x=y"}


def test_a_default_follows_the_answers_before_it(questionnaire: Questionnaire) -> None:
    assert questionnaire.default("project_slug", {"project_name": "Blue Whale!"}) == "blue-whale"
    assert questionnaire.default("auth", {"preset": "mobile"}) == "supabase"
    assert questionnaire.is_asked("auth", {"preset": "custom"})
    assert not questionnaire.is_asked("auth", {"preset": "saas"})


def test_a_problem_is_told_in_the_validators_words(questionnaire: Questionnaire) -> None:
    assert questionnaire.problem("project_slug", "fine", {}) is None
    assert "is the name of a package" in str(questionnaire.problem("project_slug", "fastapi", {}))


def test_a_default_that_is_refused_names_its_question(questionnaire: Questionnaire) -> None:
    with pytest.raises(OmniError, match=r'project_slug: "fastapi" is the name of a package.*-d project_slug='):
        questionnaire.evaluate({"project_name": "FastAPI"})


def test_what_makes_no_slug_gets_one_all_the_same(questionnaire: Questionnaire) -> None:
    assert questionnaire.evaluate({"project_name": "東京"}).answers["project_slug"] == "my-saas"
