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
        ({"clock": True}, ["clock"], "the project already has clock"),
        ({}, ["custom"], "the project already has custom"),
        ({}, ["users"], "the project already has users: it is part of every project"),
        ({"shop": True}, ["ledger"], "the project already has ledger: shop requires it"),
    ],
)
def test_what_is_there_already_is_said_and_is_no_error(
    questions: Questionnaire, answers: Answers, pieces: list[str], says: str
) -> None:
    assert says in plan_add(questions, answers, pieces).notes


@pytest.mark.parametrize(
    ("answers", "command", "says"),
    [
        ({}, ["add", "ledger"], "added with the pieces that require it. add shop"),
        ({}, ["add", "clerk", "supabase"], "clerk and supabase cannot both be the auth provider"),
        (
            {"right": True},
            ["add", "left"],
            "left cannot be chosen together with right. first run: omnistack remove right",
        ),
        ({"left": True}, ["add", "right"], "right cannot be chosen together with left"),
        ({}, ["add", "left", "right"], "cannot be chosen together"),
        ({}, ["remove", "users"], "users is part of every project and cannot be removed"),
        ({}, ["remove", "custom"], "replace it instead: omnistack add clerk | supabase"),
        (
            {"cron": True, "clock": True},
            ["remove", "clock"],
            "cron requires clock. remove them together: omnistack remove cron clock",
        ),
        ({"shop": True}, ["remove", "ledger"], "added with the pieces that require it. remove shop"),
        ({"sms": "sms_http"}, ["remove", "sms_log"], "sms_http requires sms_log"),
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
    assert plan.notes == ("the project does not have clock", "the project does not have clerk")
    assert plan.answers == {}


def test_what_is_there_is_left_out_and_the_rest_is_added(questions: Questionnaire) -> None:
    plan = plan_add(questions, {"clock": True}, ["clock", "cron"])
    assert plan.answers == {"cron": True}
    assert [piece.name for piece in plan.added] == ["cron"]


@pytest.mark.parametrize(
    ("answers", "provider", "changed", "says"),
    [
        ({"email": "resend"}, "console", {"email": "console"}, "console replaces resend (email)"),
        ({"storage": "s3"}, "local", {"storage": "local"}, "local replaces s3 (storage)"),
        ({"sms": "sms_http"}, "sms_log", {"sms": "sms_log"}, "sms_log replaces sms_http (sms)"),
    ],
)
def test_a_provider_that_another_one_requires_can_replace_it(
    questions: Questionnaire, answers: Answers, provider: str, changed: Answers, says: str
) -> None:
    plan = plan_add(questions, {"preset": "minimal", **answers}, [provider])
    assert plan.answers == changed
    assert says in plan.notes
    assert provider not in [piece.name for piece in plan.removed]


def test_removing_a_provider_names_those_that_could_replace_it(questions: Questionnaire) -> None:
    plan = plan_remove(questions, {"preset": "minimal", "email": "resend"}, ["resend"])
    assert plan.answers == {"email": "none"}
    assert any("no email provider; to replace it instead: omnistack add console |" in note for note in plan.notes)


def test_what_goes_is_taken_back_before_what_it_stands_on(questions: Questionnaire) -> None:
    answers: Answers = {"cron": True, "clock": True, "shop": True}
    plan = plan_remove(questions, answers, ["clock", "cron", "shop"])
    removed = [piece.name for piece in plan.removed]
    assert removed.index("cron") < removed.index("clock")
    assert removed.index("shop") < removed.index("ledger")
    assert plan.downgrades == ["ledger"]


def test_names_only_pieces_that_can_be_chosen() -> None:
    root = Path(__file__).resolve().parents[2]
    questions = Questionnaire(Template(source=str(root), root=root))
    with pytest.raises(OmniError, match=r"require it\. remove s3\.$"):
        plan_remove(questions, {"storage": "s3"}, ["storage"])
    with pytest.raises(OmniError, match=r"require it\. add cloudinary or local or r2 or s3\.$"):
        plan_add(questions, {"preset": "minimal"}, ["storage"])
