"""The feature model is what Copier's own questionnaire accepts and chooses."""

import pytest
from omnistack.prove.model import Model
from omnistack.prove.proof import Proof, prove
from omnistack.prove.sample import draw
from omnistack.prove.source import Source
from omnistack.prove.tree import Tree
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import QUESTIONS_FILE
from omnistack.template.source import Template


def messages(proof: Proof) -> list[str]:
    return [f"{finding.file}: {finding.message}" for finding in proof.findings]


def test_the_clean_template_has_no_fault(proof: Proof) -> None:
    assert messages(proof) == []


def test_chooses_what_copier_chooses(source: Source, proof: Proof) -> None:
    model = proof.model
    assert model is not None
    questionnaire = Questionnaire(Template(source=str(source.root), root=source.root))
    for answers in draw(model, 100, "copier"):
        expected = questionnaire.evaluate(answers).chosen
        assert {name for name, cond in model.chosen.items() if model.space.holds(cond, answers)} == set(expected)


def test_counts_the_answer_sets_and_the_projects(proof: Proof) -> None:
    assert proof.model is not None
    choices = [len(variable.conditions) for variable in proof.model.space.variables.values()]
    product = 1
    for number in choices:
        product *= number
    assert 0 < proof.projects < proof.answer_sets <= product


def test_the_catalogs_order_does_not_matter(source: Source, proof: Proof) -> None:
    assert proof.model is not None
    assert proof.tree is not None
    turned = Tree(Model(source, proof.model.space, reverse=True))
    assert turned.signature == proof.tree.signature


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('    "Clerk": clerk\n', "", "extensions/catalog/clerk.yml: cannot be chosen: no valid answers choose it"),
        (
            '    "Clerk": clerk\n',
            '    "Clerk": clerk\n    "Ghost": ghost\n',
            "copier.yml: auth=ghost is offered, but no piece provides it",
        ),
        ("includes('projects')", "includes('users')", "extensions/catalog/projects.yml: is in preset saas"),
    ],
)
def test_finds_a_questionnaire_that_does_not_fit(source: Source, old: str, new: str, said: str) -> None:
    text = source.text(QUESTIONS_FILE)
    assert old in text
    found = messages(prove(source.changed({QUESTIONS_FILE: text.replace(old, new)})))
    assert any(message.startswith(said) for message in found), found
