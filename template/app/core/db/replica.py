"""A read replica, and whether it can be reached."""

import time
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.db.engine import DatabaseUnavailableError

if TYPE_CHECKING:
    from app.core.db.database import Database

logger = structlog.stdlib.get_logger(__name__)

RETRY_INTERVAL: Final = 10.0
"""Seconds for which a replica that could not be reached is not tried again: a try can take DB_CONNECT_TIMEOUT."""


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
