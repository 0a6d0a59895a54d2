"""Real renders at random, which contradicts the proof."""

import json
from pathlib import Path

import pytest
from omnistack.prove.checks.owns import sayings
from omnistack.prove.proof import Proof
from omnistack.prove.sample import Sampler, draw, parses
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
    path = "extensions/catalog/projects.yml"
    changed = source.changed({path: source.text(path).replace("tests/projects", "tests/users")})
    for name, version in (("real", source), ("other", changed)):
        version.write(tmp_path / name)
    sampler = Sampler(tmp_path / "real")
    (without,) = draw(sampler.model, 1, "", sampler.model.given("projects", value=False))
    assert not list(sampler.check(without))
    sampler.tree = Sampler(tmp_path / "other").tree
    assert any("which contradicts the proof" in problem for problem in sampler.check(without))


def test_draws_valid_answers_the_same_for_one_seed(proof: Proof) -> None:
    model = proof.model
    assert model is not None
    drawn = draw(model, 20, "a")
    assert drawn == draw(model, 20, "a")
    assert drawn != draw(model, 20, "b")
    assert all(model.space.holds(model.valid, answers) for answers in drawn)


def test_draws_all_where_there_are_no_more(proof: Proof) -> None:
    model = proof.model
    assert model is not None
    (some,) = draw(model, 1, "a")
    few = model.valid & model.space.condition({name: some[name] for name in some if name not in {"email", "storage"}})
    count = model.space.count(few)
    assert 1 < count < proof.answer_sets
    drawn = draw(model, count, "a", few)
    assert len({json.dumps(answers, sort_keys=True) for answers in drawn}) == count
    assert len(draw(model, count - 1, "a", few)) == count - 1


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


@pytest.mark.parametrize(
    ("text", "word", "said"),
    [
        ("CLERK_ISSUER", "clerk", True),
        ("class ClerkProvider", "clerk", True),
        ("a clerk.", "clerk", True),
        ("clerks and sclerk", "clerk", False),
        ("OAUTH_ISSUER", "OAUTH_", True),
        ("oauth_issuer", "OAUTH_", False),
    ],
)
def test_an_owned_word_counts_in_names_and_not_inside_other_words(text: str, word: str, *, said: bool) -> None:
    assert sayings(text, (word,)) == (((word, (0,)),) if said else ())
