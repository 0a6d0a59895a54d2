"""Who answers by default, and what stops the start."""

import re

import pytest

from app.ai.model_table import Complexity, load_models
from app.ai.module import module
from app.ai.providers.registry import PROVIDERS
from app.ai.settings import NAMES, AISettings
from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from tests.ai.cases import CASES
from tests.fakes.llm import Case


def default(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    """The default provider, with these settings."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return create_runtime([core, module]).resource(AISettings).AI_DEFAULT_PROVIDER


def problems(monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[str, ...]:
    """What the settings are refused for."""
    with pytest.raises(ConfigurationError) as caught:
        default(monkeypatch, **settings)
    return caught.value.problems


def test_every_provider_has_a_case() -> None:
    assert [(piece.name, piece.key) for piece in PROVIDERS] == [(case.name, case.key) for case in CASES]


def test_without_keys_the_first_one_is_the_default_in_local(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default(monkeypatch) == NAMES[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("environment_name", ["local", "production"])
def test_the_one_that_has_a_key_is_the_default(
    monkeypatch: pytest.MonkeyPatch, case: Case, environment_name: str
) -> None:
    settings = {"ENVIRONMENT": environment_name, case.key: "sk-0f3c9a1d77e24b08", "BACKEND_CORS_ORIGINS": "[]"}
    assert default(monkeypatch, **settings) == case.name


def test_without_any_key_it_does_not_start_outside_local(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = " or ".join(case.key for case in CASES)
    assert problems(monkeypatch, ENVIRONMENT="production") == (
        f"AI_DEFAULT_PROVIDER is not set, and {keys} is not set: outside local a key is required",
    )


def test_an_example_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(monkeypatch, **{"ENVIRONMENT": "production", CASES[0].key: "changeme"})
    assert f"{CASES[0].key} is an example value" in found


def test_a_provider_that_is_no_part_of_the_project_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(monkeypatch, AI_DEFAULT_PROVIDER="another")
    assert problem.startswith(f"AI_DEFAULT_PROVIDER has to be {' or '.join(NAMES)}")


def test_the_allowed_models_have_to_name_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(monkeypatch, AI_DEFAULT_MODEL="one", AI_ALLOWED_MODELS='["two"]')
    assert problem == "AI_ALLOWED_MODELS has to name AI_DEFAULT_MODEL as well"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("url", ["api.example.com", "ftp://example.com", "https://", "https://example.com?x=1"])
def test_an_address_has_to_be_one(monkeypatch: pytest.MonkeyPatch, case: Case, url: str) -> None:
    (problem,) = problems(monkeypatch, **{case.url: url})
    assert problem.startswith(f"{case.url} has to be an address")


class TestModels:
    def test_every_provider_has_one_default_and_answers_in_every_tier(self) -> None:
        table = load_models()
        for name in NAMES:
            own = [model for model in table.models if model.provider == name]
            assert sum(model.default for model in own) == 1
            assert {tier for model in own for tier in model.tiers} == set(Complexity)
            assert table.default_of(name) in table.names_of(name)

    def test_only_chosen_providers_are_in_the_table(self) -> None:
        assert {model.provider for model in load_models().models} == set(NAMES)

    def test_names_are_those_of_one_provider(self) -> None:
        names = [model.name for model in load_models().models]
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)

    def test_prices_make_sense(self) -> None:
        for model in load_models().models:
            assert 0 < model.cached_input < model.input < model.output
