"""The in-memory renderer writes what Copier writes."""

import random
import time
import warnings
from pathlib import Path

import pytest
from copier import run_copy
from copier._settings import SettingsModel
from omnistack.inspect.matrix import rules
from omnistack.prove.source import Source
from omnistack.shell.errors import OmniError
from omnistack.template.catalog import load_catalog
from omnistack.template.render import FOLDER, Renderer, render


@pytest.fixture(scope="module")
def template(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template outside git, so that Copier renders it as it lies."""
    copy = tmp_path_factory.mktemp("template")
    source.write(copy)
    return copy


@pytest.fixture(scope="module")
def renderer(template: Path) -> Renderer:
    return Renderer(template)


def random_answers(template: Path, seed: int) -> dict[str, object]:
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice, no secret
    catalog = load_catalog(template)
    answers: dict[str, object] = {
        question.name: chance.choice(question.values) for question in catalog.questions.values() if question.values
    }
    for cause, effect, value in rules(catalog):
        if answers[cause] is True:
            answers[effect] = value
    if chance.random() < 0.5:
        answers |= {"project_name": "Über & Söhne", "author_email": "me@example.com"}
    return answers


def copied(template: Path, answers: dict[str, object], folder: Path) -> dict[str, tuple[int, bytes]]:
    project = folder / FOLDER
    with warnings.catch_warnings(action="ignore"):
        run_copy(str(template), project, data=answers, defaults=True, quiet=True, settings=SettingsModel())
    return {
        file.relative_to(project).as_posix(): (file.stat().st_mode & 0o777, file.read_bytes())
        for file in sorted(project.rglob("*"))
        if file.is_file()
    }


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_real_copy_byte_for_byte(template: Path, renderer: Renderer, tmp_path: Path, seed: int) -> None:
    answers = random_answers(template, seed)
    expected = copied(template, answers, tmp_path)
    rendered = renderer.render(answers)
    assert list(rendered) == list(expected)
    for path, file in rendered.items():
        assert (file.mode & 0o777, file.content) == expected[path], path


def test_one_render_leaves_nothing_behind_for_the_next(template: Path, renderer: Renderer) -> None:
    first = renderer.render({"preset": "minimal"})
    renderer.render({"preset": "custom", "auth": "clerk", "projects": True, "author_email": "me@example.com"})
    assert renderer.render({"preset": "minimal"}) == first == render(template, {"preset": "minimal"})


def test_records_the_commit_that_it_is_told(template: Path) -> None:
    file = Renderer(template, commit="v1.2.3").render({})[".copier-answers.yml"]
    assert "_commit: v1.2.3" in file.text


def test_refuses_an_answer_as_copier_does(template: Path) -> None:
    with pytest.raises(OmniError, match="auth"):
        render(template, {"auth": "nobody"})
    with pytest.raises(OmniError, match="Use lower-case letters"):
        render(template, {"project_slug": "No Slug"})


def test_a_thousand_renders_take_less_than_two_minutes_of_one_core(template: Path, renderer: Renderer) -> None:
    renderer.render({})
    drawn = [random_answers(template, seed) for seed in range(20)]
    start = time.process_time()
    for answers in drawn:
        renderer.render(answers)
    assert (time.process_time() - start) / 20 < 0.12
