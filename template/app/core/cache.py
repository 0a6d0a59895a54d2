"""The port for values that may be forgotten, and its null implementation: in this process's memory."""

import time
from collections import OrderedDict
from datetime import timedelta
from typing import Protocol


class Cache(Protocol):
    """Values that may be forgotten at any time. Keys begin with who keeps them, as in `projects:42` (`Namespace`)."""

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


class Namespace:
    """A part of a cache, in which keys meet no keys of others: `Namespace(runtime.cache, "projects")`."""

    def __init__(self, cache: Cache, name: str) -> None:
        self._cache = cache
        self._prefix = f"{name}:"

    async def get(self, key: str) -> bytes | None:
        """See `Cache.get`."""
        return await self._cache.get(self._prefix + key)

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """See `Cache.set`."""
        await self._cache.set(self._prefix + key, value, ttl)

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        await self._cache.delete(self._prefix + key)
