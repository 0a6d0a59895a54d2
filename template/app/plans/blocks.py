"""Blocks of quota that this process has reserved, so that a request is counted in memory.

A block is reserved before it is used, so any number of processes never exceed the limit. The disadvantage: the unused
rest of a block counts as used until it is given back. That happens when the next block is reserved after this one has
expired, or when the process stops. If the process is killed, the rest stays counted.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.models import utc_now
from app.core.errors import QuotaExceededError
from app.core.ports.plans import Plans, Reservation
from app.core.runtime import Runtime

SHARE: Final = 20
"""A block is at most 1/SHARE of the remaining quota, so that little is held back when the quota runs out."""
MAX_SIZE: Final = 100
LIFETIME: Final = 60.0
"""Seconds after which the rest of a block is given back."""

type Key = tuple[UUID, str]


@dataclass(kw_only=True, slots=True)
class _Block:
    plans: Plans
    """The provider that reserved it. While the process stops, the runtime already has another one."""
    reservation: Reservation
    left: int
    expires: float


class Blocks:
    """The blocks of this process.

    Args:
        runtime: the running application.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._blocks: dict[Key, _Block] = {}
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def spend(self, user_id: UUID, resource: str) -> None:
        """Use one unit of quota. Opens a transaction only if a new block is needed.

        Raises:
            QuotaExceededError: no quota is left.
        """
        key = (user_id, resource)
        if self._take(key):
            return
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if not self._take(key):
                await self._renew(key)

    async def give_back(self) -> None:
        """Give back the rest of every block, because this process stops."""
        await self._replace(list(self._blocks), self._runtime.plans)

    def _take(self, key: Key) -> bool:
        block = self._blocks.get(key)
        if block is None or block.left == 0 or block.expires <= self._clock():
            return False
        block.left -= 1
        return True

    async def _renew(self, key: Key) -> None:
        now = self._clock()
        old = [other for other, block in self._blocks.items() if block.expires <= now or other == key]
        plans = self._runtime.plans
        reservation = await self._replace(old, plans, key)
        assert reservation is not None  # noqa: S101 - a key was passed
        lifetime = LIFETIME
        if reservation.resets_at is not None:
            lifetime = min(lifetime, (reservation.resets_at - utc_now()).total_seconds())
        left = reservation.amount - 1
        self._blocks[key] = _Block(plans=plans, reservation=reservation, left=left, expires=now + lifetime)

    async def _replace(self, old: list[Key], plans: Plans, key: Key | None = None) -> Reservation | None:
        """Give back the rest of old blocks and reserve a new one, in one transaction."""
        # Remove the blocks first, so that nothing else uses them or gives them back at the same time.
        blocks = {other: self._blocks.pop(other) for other in old}
        try:
            async with self._runtime.database.transaction() as session:
                for block in blocks.values():
                    unused = block.reservation.amount - block.left
                    await block.plans.settle(session, block.reservation, unused)
                return None if key is None else await _reserve(plans, session, *key)
        except BaseException:
            self._blocks = blocks | self._blocks
            raise


async def _reserve(plans: Plans, session: AsyncSession, user_id: UUID, resource: str) -> Reservation:
    left = await plans.remaining(session, user_id, resource)
    size = MAX_SIZE if left is None else max(1, min(MAX_SIZE, left // SHARE))
    try:
        return await plans.reserve(session, user_id, resource, size)
    except QuotaExceededError:
        if size == 1:
            raise
    return await plans.reserve(session, user_id, resource, 1)
