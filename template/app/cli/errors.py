"""What the command line tells its user instead of a traceback."""

from app.dev.errors import DevError


class CommandLineError(Exception):
    """Something that the user can put right; the message says what and how."""


def explanation(error: Exception) -> str | None:
    """What went wrong and what to do about it, if that is the user's affair; `None` for a mistake in the code."""
    if isinstance(error, (CommandLineError, DevError)):
        return str(error)
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import DBAPIError

    from app.core.errors import AppError, ServiceUnavailableError
    from app.core.settings import ConfigurationError

    if isinstance(error, (ConfigurationError, CommandError)):
        return str(error)
    if isinstance(error, ServiceUnavailableError):
        return f"{error.message} Check the settings that say where it is, such as DATABASE_URL."
    if isinstance(error, AppError):
        return error.message
    if isinstance(error, DBAPIError):
        reason = str(error.orig).splitlines()[0].removeprefix("<class 'asyncpg.exceptions.").partition("'>: ")
        return f"The database refused: {reason[2] or reason[0]}\nCheck DATABASE_URL and the statement above."
    if isinstance(error, OSError):
        return f"The database does not answer ({error}). Check DATABASE_URL, and that the server runs."
    return None
