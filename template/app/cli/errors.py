"""The messages that the command line prints instead of a traceback."""

import re
import socket

from app.kit.user_error import UserError

NOT_NULL = """\
The table has rows, and they have no value for this column. Add it in three steps, in one revision:
  op.add_column("{table}", sa.Column("{column}", …, nullable=True))
  op.execute("UPDATE {table} SET {column} = …")
  with op.batch_alter_table("{table}") as batch_op:
      batch_op.alter_column("{column}", nullable=False)
docs/database.md explains it, and how to do it for a large table. Nothing was changed."""
NO_VALUE = (
    r'column "(?P<column>[^"]+)" of relation "(?P<table>[^"]+)" contains null values',
    r"NOT NULL constraint failed: _alembic_tmp_(?P<table>[^.]+)\.(?P<column>\w+)",
    r"Cannot add a NOT NULL column with default value NULL",
)
"""The messages of PostgreSQL, and of SQLite with and without a batch."""
CHECK = """\
The table has rows that the new constraint forbids, for example with an enum member that was removed. Change them
first, in the same revision: op.execute("UPDATE … SET … WHERE …"). Nothing was changed."""


def explanation(error: Exception) -> str | None:
    """Return what went wrong and what to do about it, or `None` for a mistake in the code."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, BrokenPipeError):
        # The reader of the output has stopped, as in `app db current | head -1`: click ends quietly.
        return None
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        # A timeout has no text of its own.
        reason = str(error) or type(error).__name__
        return f"The database does not answer ({reason}). Check DATABASE_URL, and that the server runs."
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return "An argument contains bytes that are not UTF-8. Check the terminal's encoding."
    return _explanation_of_libraries(error)


def _explanation_of_libraries(error: Exception) -> str | None:
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import DBAPIError

    from app.core.config.settings import ConfigurationError
    from app.core.db.schema_version import PendingRevisionsError
    from app.core.errors import AppError, ServiceUnavailableError

    if isinstance(error, (ConfigurationError, CommandError)):
        return str(error)
    if isinstance(error, AppError):
        if "startup parameter" in str(error.__cause__):
            return (
                f"A connection pooler answers ({error.__cause__}). Set DB_TRANSACTION_POOLER=true (docs/database.md)."
            )
        unreachable = isinstance(error, ServiceUnavailableError) and not isinstance(error, PendingRevisionsError)
        return f"{error.message}{' Check DATABASE_URL, and that the server runs.' if unreachable else ''}"
    if isinstance(error, DBAPIError):
        # The driver's own message, without the class that SQLAlchemy puts before it, and without values of rows.
        reason = str(error.orig).splitlines()[0].rpartition("'>: ")[2]
        statement = f"\nThe statement: {' '.join(error.statement.split())[:300]}" if error.statement else ""
        return f"The database refused: {reason}{statement}\n{_advice(reason)}"
    return None


def _advice(reason: str) -> str:
    for pattern in NO_VALUE:
        if match := re.search(pattern, reason):
            return NOT_NULL.format_map({"table": "TABLE", "column": "COLUMN", **match.groupdict()})
    if "is violated by some row" in reason or "CHECK constraint failed" in reason:
        return CHECK
    if "does not exist" in reason or "no such table" in reason:
        return "Run `app db upgrade` first, or check DATABASE_URL."
    if "lock timeout" in reason or "database is locked" in reason:
        return "Other sessions hold the table. Try again when they have ended; nothing was changed."
    return "Check the revision or the command that sent it, and DATABASE_URL."
