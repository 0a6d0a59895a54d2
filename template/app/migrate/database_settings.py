"""The one setting that commands on the database need: they work before everything else is configured."""

from typing import Annotated, cast

from pydantic import AfterValidator

from app.core.config.database_url import normal_url
from app.core.config.settings import ModuleSettings, load_settings


class DatabaseSettings(ModuleSettings):
    """The settings that a command needs to reach the database."""

    DATABASE_URL: Annotated[str, AfterValidator(normal_url)] | None = None


def database_settings() -> DatabaseSettings:
    """Load only the database's settings.

    Raises:
        ConfigurationError: one of them is invalid.
    """
    return cast("DatabaseSettings", load_settings([DatabaseSettings])[DatabaseSettings])
