"""Read `.env` literally: a `$` in a password is a character like any other."""

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic_settings import DotEnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars


class EnvFile(DotEnvSettingsSource):
    """The file that the class's `env_file` names, without expanding `${NAME}`.

    Compose and most platforms pass values on unchanged. If a file expanded them, the same value would mean two things.
    """

    @staticmethod
    def _static_read_env_file(
        file_path: Path,
        *,
        encoding: str | None = None,
        case_sensitive: bool = False,
        ignore_empty: bool = False,
        parse_none_str: str | None = None,
    ) -> Mapping[str, str | None]:
        values = dotenv_values(file_path, encoding=encoding or "utf-8", interpolate=False)
        return parse_env_vars(values, case_sensitive, ignore_empty, parse_none_str)
