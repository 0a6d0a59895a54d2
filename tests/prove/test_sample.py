"""Real renders at random, against the conditions of the proof."""

from pathlib import Path

import pytest
from omnistack.prove.proof import Proof
from omnistack.prove.sample import Sampler, draw, parses, speaks
from omnistack.prove.source import Source


@pytest.fixture(scope="module")
def sampler(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Sampler:
    folder = tmp_path_factory.mktemp("template")
    source.write(folder)
    return Sampler(folder)


def test_real_renders_equal_the_product_line(sampler: Sampler) -> None:
    for answers in draw(sampler.model, 30, "test"):
        assert list(sampler.check(answers)) == []


def test_a_condition_that_is_wrong_is_found(source: Source, tmp_path: Path) -> None:
    source.write(tmp_path)
    sampler = Sampler(tmp_path)
    file = tmp_path / "extensions/catalog/projects.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("tests/projects", "tests/users"), encoding="utf-8")
    other = Sampler(tmp_path)
    sampler.tree = other.tree
    (answers,) = [each for each in draw(sampler.model, 10**6, "") if each == _minimal(sampler)]
    found = list(sampler.check(answers))
    assert any("against the conditions of the proof" in problem for problem in found), found


def _minimal(sampler: Sampler) -> dict[str, object]:
    chosen = {"preset": "minimal", "auth": "custom", "projects": False, "python_version": "3.12"}
    drawn = draw(sampler.model, 10**6, "")
    return next(dict(each) for each in drawn if chosen.items() <= each.items())


def test_draws_valid_answers_the_same_for_one_seed(proof: Proof) -> None:
    model = proof.model
    assert model is not None
    drawn = draw(model, 20, "a")
    assert drawn == draw(model, 20, "a")
    assert drawn != draw(model, 20, "b")
    assert all(model.space.holds(model.valid, answers) for answers in drawn)


def test_draws_all_where_there_are_no_more(proof: Proof) -> None:
    assert proof.model is not None
    drawn = draw(proof.model, 10**6, "a")
    assert len(drawn) == proof.answer_sets


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "def"),
        ("a.toml", "x ="),
        ("a.yaml", "a: [b"),
        ("a.json", "{"),
        (".github/workflows/x.yml", "- a\nb: c"),
    ],
)
def test_says_what_does_not_parse(path: str, text: str) -> None:
    assert parses(path, text)
    assert not parses(path, "") or path.endswith(".json")


def test_an_owned_word_counts_in_names_and_not_inside_other_words() -> None:
    assert speaks("CLERK_ISSUER", "clerk")
    assert speaks("class ClerkProvider", "clerk")
    assert speaks("a clerk.", "clerk")
    assert not speaks("clerks and sclerk", "clerk")
    assert speaks("OAUTH_ISSUER", "OAUTH_")
    assert not speaks("oauth_issuer", "OAUTH_")
