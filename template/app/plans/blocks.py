"""Blocks of quota that this process has reserved, so that counting a request is an access to memory.

A block is reserved before it is used: the limit is never exceeded, whatever the number of processes. The price is that
the unused rest of a block counts as used until it is given back: when the block expires and any block is reserved next,
or when the process stops. If the process is killed, the rest stays counted.
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
"""A block is one part in so many of what is left, so that little is held back when the quota runs out."""
MAX_SIZE: Final = 100
LIFETIME: Final = 60.0
"""Seconds after which the rest of a block is given back."""

type Key = tuple[UUID, str]


@dataclass(kw_only=True, slots=True)
class _Block:
    plans: Plans
    """The provider that reserved it: while the process stops, the runtime has another one again."""
    reservation: Reservation
    left: int
    expires: float


class Blocks:
    """The blocks of this process.

    Args:
        runtime: the running application.
        clock: returns seconds that never go back.
    """

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._blocks: dict[Key, _Block] = {}
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def spend(self, user_id: UUID, resource: str) -> None:
        """Use one unit of quota. Opens a transaction only if a new block is needed.

        Raises:
            QuotaExceededError: nothing is left.
        """
        key = (user_id, resource)
        if self._take(key):
            return
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if not self._take(key):
                await self._renew(key)

    async def give_back(self) -> None:
        """Give back the rest of every block: this process uses none of them any more."""
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
        # Taken out first: meanwhile, nothing else may use them or give them back.
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
