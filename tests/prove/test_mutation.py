"""Seeded faults: enough of them, of every class, each found. `nox -s prove` tries all; here one of each rule."""

from collections import Counter

import pytest
from omnistack.prove.mutants.base import Mutant
from omnistack.prove.mutation import all_mutants, draw, judge
from omnistack.prove.proof import Proof

AT_LEAST = 60
CLASSES = {
    "add dependencies", "add settings", "break link", "drop dependencies", "drop depends_on", "drop from manifest",
    "drop loop's condition", "drop paths", "drop requires", "drop services", "drop settings", "drop setting's field",
    "import optional", "import optional in a function", "import undeclared", "lose file", "misname foreign key",
    "misorder depends_on", "rename definition", "rename fixture", "say an owned word", "turn condition", "turn filter",
    "turn loop",
}  # fmt: skip


@pytest.fixture(scope="module")
def mutants(proof: Proof) -> list[Mutant]:
    return all_mutants(proof)


def test_the_rules_make_faults_of_every_class(mutants: list[Mutant]) -> None:
    rules = Counter(mutant.rule for mutant in mutants)
    assert rules.keys() >= CLASSES
    assert len(mutants) >= AT_LEAST


def test_the_same_template_gives_the_same_mutants(proof: Proof, mutants: list[Mutant]) -> None:
    assert all_mutants(proof) == mutants


def test_a_draw_has_every_rule_and_follows_from_its_seed(mutants: list[Mutant]) -> None:
    rules = {mutant.rule for mutant in mutants}
    drawn = draw(mutants, len(rules), "one")
    assert {mutant.rule for mutant in drawn} == rules
    assert draw(mutants, len(rules), "one") == drawn
    assert draw(mutants, len(rules), "two") != drawn
    assert sorted(draw(mutants, len(mutants) + 1, "one"), key=repr) == sorted(mutants, key=repr)


def test_one_of_each_rule_is_found(proof: Proof, mutants: list[Mutant]) -> None:
    first: dict[str, Mutant] = {}
    for mutant in mutants:
        first.setdefault(mutant.rule, mutant)
    survived = [
        verdict for verdict in (judge(proof, mutant) for mutant in first.values()) if verdict.outcome == "survived"
    ]
    assert survived == []


def test_a_change_that_changes_no_project_is_no_fault(proof: Proof) -> None:
    path = "extensions/catalog/users.yml"
    text = proof.source.text(path)
    same = Mutant("say it in other words", path, {path: f"# A comment.\n{text}"})
    assert judge(proof, same).outcome == "equivalent"


def test_a_change_that_nothing_finds_survives(proof: Proof) -> None:
    path = "template/app/main.py"
    text = proof.source.text(path)
    harmless = Mutant("say more", path, {path: f"{text}\n# Nothing.\n"})
    assert judge(proof, harmless).outcome == "survived"
