"""What the command line tells its user instead of a traceback."""

import socket

from app.kit.user_error import UserError


def explanation(error: Exception) -> str | None:
    """What went wrong and what to do about it, if that is the user's affair; `None` for a mistake in the code."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return f"The database does not answer ({error}). Check DATABASE_URL, and that the server runs."
    if isinstance(error, OSError):
        return str(error)
    return _explanation_of_libraries(error)


def _explanation_of_libraries(error: Exception) -> str | None:
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import DBAPIError

    from app.core.config.settings import ConfigurationError
    from app.core.errors import AppError, ServiceUnavailableError

    if isinstance(error, (ConfigurationError, CommandError)):
        return str(error)
    if isinstance(error, AppError):
        hint = " Check DATABASE_URL, and that the server runs." if isinstance(error, ServiceUnavailableError) else ""
        return f"{error.message}{hint}"
    if isinstance(error, DBAPIError):
        # The driver's own message, without the class that SQLAlchemy puts before it, and without values of rows.
        reason = str(error.orig).splitlines()[0].rpartition("'>: ")[2]
        statement = f"\nIt was doing: {' '.join(error.statement.split())[:300]}" if error.statement else ""
        missing = "does not exist" in reason or "no such table" in reason
        hint = "Run `app db upgrade` first, or check DATABASE_URL." if missing else "Check DATABASE_URL."
        return f"The database refused: {reason}{statement}\n{hint}"
    return None
