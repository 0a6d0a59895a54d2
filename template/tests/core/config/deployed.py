"""The settings of a deployed application."""

from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from app.core.config.settings import ConfigurationError, ModuleSettings, RequiredOutsideLocal, Settings, load_settings

STRONG = "0123456789abcdef0123456789ABCDEF-xyz"

DATABASE = "postgresql://me:hunter22@db.internal/app"


class ShopSettings(ModuleSettings):
    """Of a module."""

    SHOP_KEY: Annotated[SecretStr | None, RequiredOutsideLocal] = None
    SHOP_COUNTRIES: tuple[str, ...] = ()
    SHOP_PRICES: dict[str, int] | None = None
    SHOP_MAX_ITEMS: int = Field(default=10, ge=1)


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are good enough for production."""
    for name, value in (("ENVIRONMENT", "production"), ("SECRET_KEY", STRONG), ("DATABASE_URL", DATABASE)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHOP_KEY", "k-19d8c2")


def problems(*classes: type[ModuleSettings]) -> list[str]:
    """Return the problems that the settings report."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(classes or (Settings, ShopSettings))
    return list(caught.value.problems)


def core() -> Settings:
    """The core's settings, checked."""
    settings = load_settings([Settings])[Settings]
    assert isinstance(settings, Settings)
    return settings
