"""The database and the other servers that a command uses: those that the settings name, else the private ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@contextmanager
def database_url(command: str) -> Iterator[str]:
    """Yield the DATABASE_URL from the settings, else the URL of the private server.

    The private server runs until the end of the block.

    Args:
        command: the name of the command, shown to other commands that wait for the private server.

    Raises:
        UserError: DATABASE_URL is not set, and there is no private server outside of a developer's machine.
    """
    from app.kit.user_error import UserError
    from app.migrate.database_settings import database_settings

    settings = database_settings()
    if settings.DATABASE_URL:
        yield settings.DATABASE_URL
        return
    if not settings.is_local or not has_dev_servers():
        raise UserError("DATABASE_URL is not set. Set it in the environment or in .env.")
    from app.dev.local import private_database_url

    with private_database_url(command) as url:
        yield url


@contextmanager
def servers(command: str) -> Iterator[None]:
    """Put the database's URL, and those of other private servers that `app dev` runs, into the environment."""
    with database_url(command):
        if not has_dev_servers():
            yield
            return
        from app.dev.services import services

        with services():
            yield


def models() -> "MetaData":
    """Return every table of every module."""
    from app.core.db.models import metadata
    from app.modules import MODULES

    assert MODULES is not None  # noqa: S101 - importing the manifests has imported the tables
    return metadata


def has_dev_servers() -> bool:
    """Return whether the private servers are installed. The production image doesn't contain the files of `app/dev`."""
    try:
        return find_spec("app.dev.services") is not None
    except ModuleNotFoundError:
        return False
