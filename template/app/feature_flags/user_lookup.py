"""Facts about users that rules depend on, such as the plan, in this process's memory for a limited time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

logger = structlog.stdlib.get_logger(__name__)

MAX_USERS: Final = 10_000
LOOKUP_TIMEOUT: Final = 1.0
RETRY_INTERVAL: Final = 1.0
"""Seconds between two attempts for a user while the database is unavailable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry[T]:
    value: T
    version: int
    expires: float


class UserLookup[T]:
    """One fact about each of the users that were last asked about. If it cannot be loaded, the last value stays.

    Args:
        name: the fact, for the log.
        load: loads it.
        default: the value if it could never be loaded.
        lifetime: seconds after which it is loaded again.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[UUID], Awaitable[T]],
        *,
        default: T,
        lifetime: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._load = load
        self._default = default
        self._lifetime = lifetime
        self._clock = clock
        self._entries: OrderedDict[UUID, _Entry[T]] = OrderedDict()
        self._pending: dict[tuple[UUID, int], asyncio.Task[T]] = {}
        self._failing = False

    async def get(self, user_id: UUID, version: int = 0) -> T:
        """Return the fact about a user. Never raises.

        Args:
            user_id: the user.
            version: a value that was loaded for another version is loaded again.
        """
        entry = self._entries.get(user_id)
        if entry is not None and entry.version == version and self._clock() < entry.expires:
            self._entries.move_to_end(user_id)
            return entry.value
        key = (user_id, version)
        # A task of its own: a caller that is cancelled doesn't take the value away from the others.
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._renew(user_id, version), context=Context())
            task.add_done_callback(lambda _: self._pending.pop(key))
        await asyncio.wait({task})
        return self._default if task.cancelled() else task.result()

    async def close(self) -> None:
        """Stop loading."""
        for task in list(self._pending.values()):
            task.cancel()
            await asyncio.wait({task})

    async def _renew(self, user_id: UUID, version: int) -> T:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                value, lifetime = await self._load(user_id), self._lifetime
        except Exception as error:  # noqa: BLE001 - whatever it is, the last value stays
            last = self._entries.get(user_id)
            value, lifetime = self._default if last is None else last.value, RETRY_INTERVAL
            if not self._failing:
                logger.warning("feature_flag_users_not_loaded", fact=self._name, error=type(error).__name__)
            self._failing = True
        else:
            self._failing = False
        self._entries[user_id] = _Entry(value=value, version=version, expires=self._clock() + lifetime)
        self._entries.move_to_end(user_id)
        while len(self._entries) > MAX_USERS:
            self._entries.popitem(last=False)
        return value
