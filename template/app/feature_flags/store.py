"""The current snapshot of all flags, and how a process notices changes that others have made.

A change writes a new value to the cache once it is committed. Each process that does background work reads that value
twice a second, and loads the flags when it differs. Where processes don't share a cache, or while it is unavailable,
each of them compares the number of changes in the database every ten seconds.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from app.core.runtime import Runtime
from app.feature_flags.snapshot import EMPTY, Snapshot, load_snapshot, read_revision

logger = structlog.stdlib.get_logger(__name__)

CHANGE_KEY: Final = "feature_flags:changed"
CHANGE_LIFETIME: Final = timedelta(days=1)
STOP_TIMEOUT: Final = 2.0
"""Seconds that the announcement of a change may take when the process stops."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Intervals in seconds.

    Attributes:
        poll: between two looks at the cache that all processes share.
        max_age: after which a process asks the database for changes.
        retry: between two attempts while the database is unavailable.
        load_timeout: for loading all flags.
    """

    poll: float = 0.5
    max_age: float = 10.0
    retry: float = 1.0
    load_timeout: float = 2.0


class FlagStore:
    """All flags in this process's memory. If they cannot be loaded, the last state stays.

    Args:
        runtime: the running application.
        timing: the intervals.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self, runtime: Runtime, timing: Timing | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._runtime = runtime
        self._timing = timing or Timing()
        self._clock = clock
        self._snapshot = EMPTY
        self._checked_at: float | None = None
        self._retry_at = 0.0
        self._failing = False
        self._watching = False
        self._changes = 0
        """The number of changes that this process has made; those that the snapshot contains."""
        self._loaded_changes = 0
        self._refresh: asyncio.Task[None] | None = None
        self._announcements: set[asyncio.Task[None]] = set()

    async def snapshot(self) -> Snapshot:
        """Return all flags. Reads the database at the first call, and after a change by this process.

        A process that does no background work, such as a command, also reads it if the last check is too old.
        """
        if not self._is_current():
            await self._refresh_once()
            if self._loaded_changes != self._changes and not self._failing:
                # The refresh had begun before the last change.
                await self._refresh_once()
        return self._snapshot

    def changed(self) -> None:
        """Load the flags before the next evaluation, and tell other processes. Call it after the commit."""
        self._changes += 1
        task = asyncio.create_task(self._announce(), context=Context())
        self._announcements.add(task)
        task.add_done_callback(self._announcements.discard)

    async def close(self) -> None:
        """Finish the announcements."""
        if self._announcements:
            await asyncio.wait(self._announcements, timeout=STOP_TIMEOUT)
        for task in [*self._announcements, *([self._refresh] if self._refresh else [])]:
            task.cancel()
            await asyncio.wait({task})

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Notice changes by other processes until the end of the block."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._watch(stop), context=Context())
        self._watching = True
        try:
            yield
        finally:
            self._watching = False
            stop.set()
            await asyncio.wait({task}, timeout=STOP_TIMEOUT)
            task.cancel()
            await asyncio.wait({task})

    def _is_current(self) -> bool:
        if self._failing and (self._watching or self._clock() < self._retry_at):
            return True
        if self._checked_at is None or self._loaded_changes != self._changes:
            return False
        return self._watching or not self._is_due

    @property
    def _is_due(self) -> bool:
        """Whether the database has to be asked for changes."""
        return self._failing or self._checked_at is None or self._clock() >= self._checked_at + self._timing.max_age

    async def _refresh_once(self) -> None:
        # A task of its own: a caller that is cancelled doesn't take the refresh away from the others.
        if self._refresh is None:
            self._refresh = asyncio.create_task(self._load(), context=Context())
        await asyncio.wait({self._refresh})

    async def _load(self) -> None:
        changes = self._changes
        try:
            async with asyncio.timeout(self._timing.load_timeout):
                await self._replace()
        except Exception as error:  # noqa: BLE001 - whatever it is, the last state stays
            if not self._failing:
                logger.warning("feature_flags_not_loaded", error=type(error).__name__, hint="The last state stays.")
            self._failing = True
            self._retry_at = self._clock() + self._timing.retry
        else:
            if self._failing:
                logger.info("feature_flags_loaded_again")
            self._failing = False
            self._loaded_changes = changes
            self._checked_at = self._clock()
        finally:
            self._refresh = None

    async def _replace(self) -> None:
        database = self._runtime.database
        if self._checked_at is None or await read_revision(database) != self._snapshot.revision:
            self._snapshot = await load_snapshot(database)

    async def _announce(self) -> None:
        try:
            await self._runtime.cache.set(CHANGE_KEY, secrets.token_hex(8).encode(), CHANGE_LIFETIME)
        except Exception:
            # Other processes find the change in the database.
            logger.exception("feature_flags_not_announced")

    async def _watch(self, stop: asyncio.Event) -> None:
        seen: bytes | None = None
        while not stop.is_set():
            latest = await self._latest(seen)
            if latest != seen or self._is_due:
                await self._refresh_once()
            seen = latest
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._timing.poll)

    async def _latest(self, seen: bytes | None) -> bytes | None:
        try:
            return await self._runtime.cache.get(CHANGE_KEY)
        except Exception:
            # The database is still asked for changes.
            logger.exception("feature_flags_not_watched")
            return seen
