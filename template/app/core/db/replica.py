"""A read replica, and whether it can be reached."""

import time
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.db.engine import DatabaseUnavailableError
from app.core.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from app.core.db.database import Database

logger = structlog.stdlib.get_logger(__name__)

RETRY_INTERVAL: Final = 10.0
"""Seconds for which a replica that could not be reached is not tried again: a try can take DB_CONNECT_TIMEOUT."""

MAX_LAG: Final = 60
"""Seconds that a replica may be behind. Beyond, the application is degraded."""
_WRITTEN: Final = text("SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn()::text END")
_LAG: Final = text(
    # On an idle primary, the last transaction is old, and the replica has everything.
    "SELECT CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= CAST(CAST(:written AS text) AS pg_lsn) "
    "THEN 0 ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)::int END"
)


class ReplicaUnavailableError(ServiceUnavailableError):
    """The replica cannot be reached."""

    def __init__(self) -> None:
        super().__init__("The read replica (DATABASE_READ_URL) cannot be reached. Its reads go to DATABASE_URL.")


class ReplicaLagError(ServiceUnavailableError):
    """The replica is far behind."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The read replica (DATABASE_READ_URL) is {seconds} s behind.")


class Replica:
    """A read replica.

    Args:
        database: the replica, as a database of its own.
    """

    def __init__(self, database: "Database") -> None:
        self.database = database
        self._retry_at = 0.0

    async def answers(self) -> bool:
        """Return whether the replica can be reached. Usually this takes a connection of the pool and no round trip."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            async with self.database.engine.connect():
                return True
        except PoolTimeoutError:
            # It is busy. That is no reason to send its load to the other database too.
            return True
        except DatabaseUnavailableError:
            self._retry_at = time.monotonic() + RETRY_INTERVAL
            logger.warning("database_replica_unavailable", retry_in=RETRY_INTERVAL)
            return False


async def require_replica(database: "Database") -> None:
    """Check that the read replica, if there is one, answers and is not far behind.

    Raises:
        ReplicaUnavailableError: it does not answer.
        ReplicaLagError: it is more than MAX_LAG behind.
    """
    if not database.has_replica:
        return
    replica = await database.replica()
    if replica is database:
        raise ReplicaUnavailableError
    written = (await database.fetch(_WRITTEN, {}))[0][0]
    lag = (await replica.fetch(_LAG, {"written": written}))[0][0]
    if lag > MAX_LAG:
        raise ReplicaLagError(lag)
