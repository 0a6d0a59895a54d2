"""Read `.env` literally: a `$` in a password is a character like any other."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic_settings import DotEnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars


class EnvFileError(Exception):
    """A line of the file cannot be parsed.

    Without this error the line would be skipped, and its setting would silently have its default: a missing quote after
    `ENVIRONMENT="production` would mean local.
    """

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{path.name} has an error in line {line}: write NAME=value, and close every quote")


class EnvFile(DotEnvSettingsSource):
    """The file that the class's `env_file` names, without expanding `${NAME}`.

    Compose and most platforms pass values on unchanged. If a file expanded them, the same value would mean two things.

    Raises:
        EnvFileError: a line cannot be parsed.
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
        text = file_path.read_text(encoding or "utf-8")
        for binding in parse_stream(StringIO(text)):
            if binding.error:
                raise EnvFileError(file_path, binding.original.line)
        values = dotenv_values(stream=StringIO(text), interpolate=False)
        return parse_env_vars(values, case_sensitive, ignore_empty, parse_none_str)
