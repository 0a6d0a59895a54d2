"""A port's provider: which one is selected, and what must be set for it and for no other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, Field, SecretStr

from app.core.config.provider_selection import NEEDED, Selection
from app.core.config.settings import ConfigurationError, ModuleSettings, load_settings


class PaperSettings(ModuleSettings):
    """Of a provider that needs nothing."""


class PigeonSettings(ModuleSettings):
    """Of a provider that needs something."""

    PIGEON_LOFT: Annotated[str, Field(pattern=r"^[a-z]*$"), NEEDED] = ""
    PIGEON_SEED: Annotated[SecretStr, NEEDED] = SecretStr("")
    PIGEON_COLOUR: str = "grey"


@dataclass(frozen=True, slots=True)
class Piece:
    name: str
    settings: type[ModuleSettings]


SELECTION = Selection((Piece("paper", PaperSettings), Piece("pigeon", PigeonSettings)), local_default="paper")


class NewsSettings(ModuleSettings):
    """Of the module."""

    NEWS_PROVIDER: Annotated[str, AfterValidator(SELECTION.check)] = ""


def selected() -> str:
    """The provider, with all settings checked."""
    settings = load_settings([NewsSettings, PaperSettings, PigeonSettings])[NewsSettings]
    assert isinstance(settings, NewsSettings)
    return settings.NEWS_PROVIDER


def problems() -> list[str]:
    """Return the problems that the settings report."""
    with pytest.raises(ConfigurationError) as caught:
        selected()
    return list(caught.value.problems)


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the pigeon needs."""
    monkeypatch.setenv("PIGEON_LOFT", "attic")
    monkeypatch.setenv("PIGEON_SEED", "wheat")


def test_unset_it_is_the_modest_one_in_local() -> None:
    assert selected() == "paper"


@pytest.mark.usefixtures("fed")
def test_unset_it_is_the_chosen_one_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert selected() == "pigeon"


def test_the_fallback_is_selected_if_it_is_the_only_provider() -> None:
    assert Selection((Piece("paper", PaperSettings),), local_default="paper").chosen == "paper"


def test_missing_settings_of_the_selected_provider_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_PROVIDER", "pigeon")
    assert problems() == ["NEWS_PROVIDER is pigeon, which needs PIGEON_LOFT, PIGEON_SEED to be set"]

    monkeypatch.setenv("PIGEON_LOFT", "attic")
    assert problems() == ["NEWS_PROVIDER is pigeon, which needs PIGEON_SEED to be set"]


def test_missing_settings_of_the_default_provider_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert problems() == ["NEWS_PROVIDER is not set, hence pigeon, which needs PIGEON_LOFT, PIGEON_SEED to be set"]


def test_a_malformed_setting_does_not_hide_missing_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_PROVIDER", "pigeon")
    monkeypatch.setenv("PIGEON_LOFT", "The attic")

    missing, malformed = problems()
    assert missing == "NEWS_PROVIDER is pigeon, which needs PIGEON_SEED to be set"
    assert malformed.startswith("PIGEON_LOFT ")


def test_an_empty_setting_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_PROVIDER", "pigeon")
    monkeypatch.setenv("PIGEON_LOFT", "attic")
    monkeypatch.setenv("PIGEON_SEED", "")
    assert problems() == ["NEWS_PROVIDER is pigeon, which needs PIGEON_SEED to be set"]


def test_settings_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PIGEON_SEED=wheat\n", encoding="utf-8")
    for cls in (NewsSettings, PigeonSettings):
        monkeypatch.setitem(cls.model_config, "env_file", file)
    monkeypatch.setenv("PIGEON_LOFT", "attic")
    monkeypatch.setenv("NEWS_PROVIDER", "pigeon")
    assert selected() == "pigeon"


def test_settings_of_other_providers_are_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_PROVIDER", "paper")
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert selected() == "paper"


def test_an_unknown_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_PROVIDER", "smoke")
    assert problems() == ["NEWS_PROVIDER must be paper or pigeon: no other provider is part of this project"]
