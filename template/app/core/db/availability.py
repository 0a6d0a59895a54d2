"""Errors of the database that are not the statement's fault, and the errors that clients see instead."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.db.engine import DatabaseUnavailableError
from app.core.db.models import metadata
from app.core.errors import ServiceUnavailableError

logger = structlog.stdlib.get_logger(__name__)

LOCK_NOT_AVAILABLE, QUERY_CANCELED = "55P03", "57014"
SERIALIZATION_FAILURE, RECOVERY = "40001", "conflict with recovery"
"""The code and a part of the message of a statement that a replica cancels to apply a change of the primary."""
UNDEFINED = frozenset({"42P01", "42703"})
"""PostgreSQL's codes of a table and a column that do not exist."""
_NAMES = re.compile(r'"([^"]+)"|(?:column|table|column named) ([\w.]+)|no such (?:table|column): ([\w.]+)')


class DatabaseBusyError(ServiceUnavailableError):
    """A statement took too long, or waited too long for a lock."""

    def __init__(self) -> None:
        super().__init__("The database is busy. Try again.", headers={"Retry-After": "1"})


class DatabaseOutdatedError(ServiceUnavailableError):
    """The database lacks a table or a column of a model: a revision was not written or not applied."""

    def __init__(self) -> None:
        super().__init__("The application is being updated. Try again.", headers={"Retry-After": "5"})


@contextmanager
def availability() -> Iterator[None]:
    """Turn errors that are not the statement's fault into 503.

    Raises:
        DatabaseUnavailableError: no connection was free in time, or the connection broke.
        DatabaseBusyError: a statement reached DB_STATEMENT_TIMEOUT or DB_LOCK_TIMEOUT, or a replica cancelled it.
        DatabaseOutdatedError: a table or column of a model does not exist.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailableError from error
        code, message = getattr(error.orig, "sqlstate", None), str(error.orig)
        if code == SERIALIZATION_FAILURE and RECOVERY in message:
            raise DatabaseBusyError from error
        if code in {LOCK_NOT_AVAILABLE, QUERY_CANCELED} or "database is locked" in message:
            raise DatabaseBusyError from error
        if (code in UNDEFINED or "no such " in message or "has no column" in message) and _is_of_a_model(message):
            logger.error(  # noqa: TRY400 - the traceback says no more than the reason
                "database_revision_missing",
                reason=message.splitlines()[0].rpartition("'>: ")[2],
                hint="A revision is missing. Run `app db upgrade`; if that changes nothing, `app db revision`.",
            )
            raise DatabaseOutdatedError from None
        raise


def _is_of_a_model(message: str) -> bool:
    """Return whether the message names a model's table or column, rather than a mistake in a statement."""
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    for match in _NAMES.finditer(message):
        name = next(group for group in match.groups() if group)
        if name in metadata.tables or name.rpartition(".")[2] in columns:
            return True
    return False
