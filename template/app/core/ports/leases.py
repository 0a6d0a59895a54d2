"""The port for leases, which limit concurrent work, and its implementation in this process."""

import secrets
import time
from datetime import timedelta
from typing import Protocol


class Leases(Protocol):
    """Leases that limit concurrent work. A lease expires if its holder's process is killed."""

    async def acquire(self, key: str, *, limit: int, lifetime: timedelta) -> str | None:
        """Acquire one of `limit` leases under the key.

        Returns:
            The lease's id, or `None` if all leases are held.
        """
        ...

    async def release(self, key: str, lease_id: str) -> None:
        """Release a lease. Releasing an expired lease is not an error."""
        ...


def new_lease_id() -> str:
    """Return an id that no other lease has."""
    return secrets.token_hex(8)


class MemoryLeases:
    """Leases in this process's memory. Methods await nothing, so concurrent calls cannot exceed a limit."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, float]] = {}
        """For each key, the expiry of each lease."""

    async def acquire(self, key: str, *, limit: int, lifetime: timedelta) -> str | None:
        """See `Leases.acquire`."""
        now = time.monotonic()
        held = {lease_id: expiry for lease_id, expiry in self._held.get(key, {}).items() if expiry > now}
        if len(held) >= limit:
            return None
        lease_id = new_lease_id()
        self._held[key] = {**held, lease_id: now + lifetime.total_seconds()}
        return lease_id

    async def release(self, key: str, lease_id: str) -> None:
        """See `Leases.release`."""
        held = self._held.get(key, {})
        held.pop(lease_id, None)
        if not held:
            self._held.pop(key, None)
