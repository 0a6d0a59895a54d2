"""What `add` and `remove` make of a project's answers, before anything is rendered."""

from pathlib import Path

import pytest
from omnistack.change.plan import plan_add, plan_remove
from omnistack.shell.errors import OmniError
from omnistack.template.answers import Questionnaire
from omnistack.template.project import Answers
from omnistack.template.source import Template

from tests.updates.workshop import V1, Repository


@pytest.fixture(scope="module")
def questions(releases: Repository, tmp_path_factory: pytest.TempPathFactory) -> Questionnaire:
    """The questions of the first release."""
    root: Path = tmp_path_factory.mktemp("plans") / "template"
    releases.clone(root).git("checkout", "--quiet", V1)
    return Questionnaire(Template(source=str(root), root=root))


@pytest.mark.parametrize(
    ("answers", "pieces", "says"),
    [
        ({"clock": True}, ["clock"], "clock is there already"),
        ({}, ["custom"], "custom is there already"),
        ({}, ["users"], "users is there already: it is part of every project"),
        ({"shop": True}, ["ledger"], "ledger is there already: shop needs it"),
        ({"sms": "sms_http"}, ["sms_log", "clock", "clock"], "sms_log is there already: sms_http needs it"),
    ],
)
def test_what_is_there_already_is_said_and_is_no_error(
    questions: Questionnaire, answers: Answers, pieces: list[str], says: str
) -> None:
    assert says in plan_add(questions, answers, pieces).notes


@pytest.mark.parametrize(
    ("answers", "command", "says"),
    [
        ({}, ["add", "ledger"], "comes along with other pieces. add shop"),
        ({}, ["add", "clerk", "supabase"], "clerk and supabase both answer 'auth'"),
        ({"right": True}, ["add", "left"], "left cannot be chosen together with right. first: omnistack remove right"),
        ({"left": True}, ["add", "right"], "right cannot be chosen together with left"),
        ({}, ["add", "left", "right"], "cannot be chosen together"),
        ({}, ["remove", "users"], "users is part of every project and cannot be removed"),
        ({}, ["remove", "custom"], "choose another instead: omnistack add clerk | supabase"),
        ({"cron": True, "clock": True}, ["remove", "clock"], "cron needs clock. remove cron clock together"),
        ({"shop": True}, ["remove", "ledger"], "comes along with other pieces. remove shop"),
        ({"sms": "sms_http"}, ["remove", "sms_log"], "sms_http needs sms_log"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    questions: Questionnaire, answers: Answers, command: list[str], says: str
) -> None:
    plan = {"add": plan_add, "remove": plan_remove}[command[0]]
    with pytest.raises(OmniError) as refused:
        plan(questions, answers, command[1:])
    assert says in str(refused.value)


def test_what_is_not_there_needs_no_removal(questions: Questionnaire) -> None:
    plan = plan_remove(questions, {}, ["clock", "clerk"])
    assert plan.notes == ("clock is not there", "clerk is not there")
    assert plan.answers == {}


def test_what_is_there_is_left_out_and_the_rest_is_added(questions: Questionnaire) -> None:
    plan = plan_add(questions, {"clock": True}, ["clock", "cron"])
    assert plan.answers == {"cron": True}
    assert [piece.name for piece in plan.added] == ["cron"]


def test_what_goes_is_taken_back_before_what_it_stands_on(questions: Questionnaire) -> None:
    answers: Answers = {"cron": True, "clock": True, "shop": True}
    plan = plan_remove(questions, answers, ["clock", "cron", "shop"])
    removed = [piece.name for piece in plan.removed]
    assert removed.index("cron") < removed.index("clock")
    assert removed.index("shop") < removed.index("ledger")
    assert plan.downgrades == ["ledger"]
