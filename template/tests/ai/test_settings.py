"""Selection of the default provider, and settings that prevent the start."""

import re

import pytest

from app.ai.model_table import Complexity, load_models
from app.ai.module import module
from app.ai.providers import console
from app.ai.settings import PROVIDERS, AISettings
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from tests.ai.cases import CASES
from tests.core.config.startup_problems import startup_problems
from tests.fakes.llm import Case


def default(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    """Return the default provider with these settings."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return create_runtime([core, module]).resource(AISettings).AI_DEFAULT_PROVIDER


def problems(monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[str, ...]:
    """Return the problems of these settings."""
    return startup_problems(monkeypatch, core, module, **settings)


def test_every_provider_has_a_case() -> None:
    *chosen, last = PROVIDERS
    assert [(spec.name, spec.key) for spec in chosen] == [(case.name, case.key) for case in CASES]
    assert (last.name, last.key) == (console.NAME, None)


def test_without_keys_the_canned_answers_are_the_default_in_local(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default(monkeypatch) == console.NAME


@pytest.mark.parametrize("environment_name", ["staging", "production"])
def test_the_canned_answers_do_not_exist_outside_local(monkeypatch: pytest.MonkeyPatch, environment_name: str) -> None:
    (problem,) = problems(monkeypatch, ENVIRONMENT=environment_name, AI_DEFAULT_PROVIDER=console.NAME)
    assert problem.startswith(f"AI_DEFAULT_PROVIDER must be {' or '.join(case.name for case in CASES)}: no other")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("environment_name", ["local", "production"])
def test_the_provider_with_a_key_is_the_default(
    monkeypatch: pytest.MonkeyPatch, case: Case, environment_name: str
) -> None:
    settings = {"ENVIRONMENT": environment_name, case.key: "sk-0f3c9a1d77e24b08", "BACKEND_CORS_ORIGINS": "[]"}
    assert default(monkeypatch, **settings) == case.name


def test_without_any_key_it_does_not_start_outside_local(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = " or ".join(case.key for case in CASES)
    assert problems(monkeypatch, ENVIRONMENT="production") == (
        f"AI_DEFAULT_PROVIDER is not set, and {keys} is not set: outside local a key is required",
    )


def test_an_example_value_is_not_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(monkeypatch, **{"ENVIRONMENT": "production", CASES[0].key: "changeme"})
    assert f"{CASES[0].key} is an example value" in found


def test_a_provider_that_is_not_part_of_the_project_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(monkeypatch, AI_DEFAULT_PROVIDER="another")
    assert problem.startswith(f"AI_DEFAULT_PROVIDER must be {' or '.join(spec.name for spec in PROVIDERS)}")


def test_the_allowed_models_have_to_include_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(monkeypatch, AI_DEFAULT_MODEL="one", AI_ALLOWED_MODELS='["two"]')
    assert problem == "AI_ALLOWED_MODELS must include AI_DEFAULT_MODEL"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("url", ["api.example.com", "ftp://example.com", "https://", "https://example.com?x=1"])
def test_an_invalid_url_is_refused(monkeypatch: pytest.MonkeyPatch, case: Case, url: str) -> None:
    (problem,) = problems(monkeypatch, **{case.url: url})
    assert problem.startswith(f"{case.url} must be a URL")


class TestModels:
    def test_every_provider_has_one_default_and_a_model_for_every_tier(self) -> None:
        table = load_models()
        for name in (case.name for case in CASES):
            own = [model for model in table.models if model.provider == name]
            assert sum(model.default for model in own) == 1
            assert {tier for model in own for tier in model.tiers} == set(Complexity)
            assert table.default_of(name) in table.names_of(name)

    def test_only_chosen_providers_are_in_the_table(self) -> None:
        assert {model.provider for model in load_models().models} == {spec.name for spec in PROVIDERS}

    def test_the_router_does_not_choose_the_canned_answers(self) -> None:
        table = load_models()
        assert all(model.provider != console.NAME for tier in Complexity for model in table.tier(tier))

    def test_names_of_models_are_unique(self) -> None:
        names = [model.name for model in load_models().models]
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)

    def test_prices_are_plausible(self) -> None:
        for model in (each for each in load_models().models if each.provider != console.NAME):
            assert 0 < model.cached_input < model.input < model.output
