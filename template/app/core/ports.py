"""Ports for what may be absent, each with the implementation that stands in for it. Callers never ask "is it on?"."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Plans(Protocol):
    """What a user's plan allows."""

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:
        """The name of the user's plan, such as `free`."""
        ...

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:
        """How much of the resource is left in this period; `None` means without a limit."""
        ...


class FreePlan:
    """Everybody is on the free plan, and nothing is metered."""

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:  # noqa: ARG002 - the port's signature
        """See `Plans.plan_of`."""
        return "free"

    async def remaining(self, session: AsyncSession, user_id: UUID, resource: str) -> int | None:  # noqa: ARG002
        """See `Plans.remaining`."""
        return None


class Cache(Protocol):
    """Values that may be forgotten at any time. Keys are namespaced by the caller: `projects:42`."""

    async def get(self, key: str) -> bytes | None:
        """The value, or `None` when it is not there or has expired."""
        ...

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """Keeps the value for at most `ttl`."""
        ...

    async def delete(self, key: str) -> None:
        """Forgets the value; no error when there is none."""
        ...


class MemoryCache:
    """Keeps the `max_items` values last used, in this process."""

    def __init__(self, max_items: int = 10_000) -> None:
        self._max_items = max_items
        self._items: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        """See `Cache.get`."""
        item = self._items.get(key)
        if item is None:
            return None
        if item[0] <= time.monotonic():
            del self._items[key]
            return None
        self._items.move_to_end(key)
        return item[1]

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """See `Cache.set`."""
        self._items[key] = (time.monotonic() + ttl.total_seconds(), value)
        self._items.move_to_end(key)
        while len(self._items) > self._max_items:
            self._items.popitem(last=False)

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        self._items.pop(key, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Who did what to whom."""

    actor_id: UUID
    action: str
    target_type: str
    target_id: str
    details: dict[str, str]


class Audit(Protocol):
    """A record of what administrators do."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """Keeps the entry in the session's transaction."""
        ...


class NoAudit:
    """Keeps nothing."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """See `Audit.record`."""
