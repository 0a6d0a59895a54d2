"""The port for the cache, its in-memory default, and the decorator `cached`."""

import asyncio
import hashlib
import inspect
import math
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cached_property, update_wrapper
from typing import Concatenate, Final, NamedTuple, Protocol, get_type_hints
from weakref import WeakKeyDictionary

import structlog
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.core.ports.operations import CacheLookup
from app.core.ports.telemetry import Telemetry

logger = structlog.stdlib.get_logger(__name__)

MAX_KEY_LENGTH: Final = 200
"""Characters of a key's arguments. Longer arguments are hashed."""


class Cache(Protocol):
    """A store of bytes that may be evicted at any time. Keys begin with their owner's name: `reports:42`."""

    async def get(self, key: str) -> bytes | None:
        """Return the value, or `None` if it is missing or expired."""
        ...

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """Store the value for at most `ttl`."""
        ...

    async def delete(self, key: str) -> None:
        """Delete the value. A missing value is not an error."""
        ...


class MemoryCache:
    """A least-recently-used cache in this process's memory, with at most `max_items` values."""

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
    """A cache with a key prefix, so that keys don't collide: `Namespace(runtime.cache, "reports")`."""

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


class HasCache(Protocol):
    """An object with a cache and telemetry, such as the runtime."""

    @property
    def cache(self) -> Cache:
        """The cache."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """The receiver of the lookups."""
        ...


class _Entry[T](NamedTuple):
    """A cached value.

    Attributes:
        expires: a Unix timestamp.
        cost: seconds that computing the value took.
    """

    expires: float
    cost: float
    value: T

    def to_bytes(self, value_type: TypeAdapter[T]) -> bytes:
        return b"%r %r\n%b" % (self.expires, self.cost, value_type.dump_json(self.value))

    @classmethod
    def from_bytes(cls, stored: bytes, value_type: TypeAdapter[T]) -> "_Entry[T]":
        """Parse an entry. Raise `ValueError` if the bytes are not an entry of this type."""
        head, _, value = stored.partition(b"\n")
        expires, cost = head.split()
        return cls(float(expires), float(cost), value_type.validate_json(value))

    @property
    def has_expired(self) -> bool:
        return time.time() >= self.expires

    def should_renew(self) -> bool:
        """Decide at random whether to recompute the value before it expires.

        The probability grows with the cost and towards the expiry, where it is 1.

        Source: Vattani, Chierichetti, Lowenstein, Optimal Probabilistic Cache Stampede Prevention, VLDB 2015.
        """
        return time.time() - self.cost * math.log(1.0 - random.random()) >= self.expires  # noqa: S311 - no secret


class Cached[H: HasCache, **P, T]:
    """A function behind a cache. Created by the decorator `cached`."""

    def __init__(self, function: Callable[Concatenate[H, P], Awaitable[T]], name: str, ttl: timedelta) -> None:
        self._function = function
        self._name = name
        self._ttl = ttl
        self._signature = inspect.signature(function)
        self._pending: WeakKeyDictionary[Cache, dict[str, asyncio.Future[bytes]]] = WeakKeyDictionary()
        update_wrapper(self, function)

    async def __call__(self, holder: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the cached value, or call the function and cache its result."""
        if not holder.telemetry.listeners:
            return (await self._get(holder, *args, **kwargs))[0]
        lookup = CacheLookup(name=self._name)
        with holder.telemetry.observe(lookup):
            value, lookup.hit = await self._get(holder, *args, **kwargs)
        return value

    async def forget(self, holder: H, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Delete the cached value for these arguments. Call it after the commit that changed the data.

        A value that another process is computing at this moment may still be stale. It expires after `ttl`.
        """
        key = self.key(*args, **kwargs)
        self._pending.get(holder.cache, {}).pop(key, None)
        await holder.cache.delete(key)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the cache key for these arguments. Positional and keyword arguments give the same key."""
        bound = self._signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        arguments = to_json(list(bound.arguments.values())[1:]).decode()
        if len(arguments) > MAX_KEY_LENGTH:
            arguments = hashlib.sha256(arguments.encode()).hexdigest()
        return f"{self._name}:{arguments}"

    @cached_property
    def _type(self) -> TypeAdapter[T]:
        # Resolved at the first call: the annotation may name a class that is defined below the function.
        return TypeAdapter(get_type_hints(self._function)["return"])

    async def _get(self, holder: H, *args: P.args, **kwargs: P.kwargs) -> tuple[T, bool]:
        """Return the value and whether it came from the cache."""
        key = self.key(*args, **kwargs)
        entry = await self._find(holder.cache, key)
        if entry is not None and not entry.should_renew():
            return entry.value, True
        try:
            return await self._join_or_compute(key, entry, holder, *args, **kwargs), False
        except Exception as error:
            if entry is None or entry.has_expired:
                raise
            # The renewal was early: the cached value is still valid.
            logger.warning("cached_value_not_renewed", name=self._name, error=type(error).__name__)
            return entry.value, True

    async def _find(self, cache: Cache, key: str) -> _Entry[T] | None:
        stored = await cache.get(key)
        try:
            return None if stored is None else _Entry.from_bytes(stored, self._type)
        except ValueError:
            # Written by an earlier release, with another type.
            return None

    async def _join_or_compute(
        self, key: str, seen: _Entry[T] | None, holder: H, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        pending = self._pending.setdefault(holder.cache, {})
        while (other := pending.get(key)) is not None:
            # Another call in this process is computing the value. If it is cancelled, this one takes over.
            await asyncio.wait([other])
            if not other.cancelled():
                return self._type.validate_json(other.result())
        future = pending[key] = asyncio.get_running_loop().create_future()
        try:
            # Another process may have renewed the entry since this call has read it.
            entry = await self._find(holder.cache, key)
            if entry is None or (seen is not None and entry.expires <= seen.expires):
                entry = await self._compute(holder, *args, **kwargs)
                # Unless `forget` was called meanwhile.
                if pending.get(key) is future:
                    await holder.cache.set(key, entry.to_bytes(self._type), self._ttl)
            future.set_result(self._type.dump_json(entry.value))
        except Exception as error:
            future.set_exception(error)
            future.exception()  # Marks it as retrieved: no other call may be waiting.
            raise
        else:
            return entry.value
        finally:
            if pending.get(key) is future:
                del pending[key]
            future.cancel()

    async def _compute(self, holder: H, *args: P.args, **kwargs: P.kwargs) -> _Entry[T]:
        started = time.monotonic()
        value = await self._function(holder, *args, **kwargs)
        return _Entry(time.time() + self._ttl.total_seconds(), time.monotonic() - started, value)


def cached[H: HasCache, **P, T](
    name: str, *, ttl: timedelta
) -> Callable[[Callable[Concatenate[H, P], Awaitable[T]]], Cached[H, P, T]]:
    """Cache the results of a coroutine function.

        @cached("reports.count", ttl=timedelta(minutes=5))
        async def count_reports(runtime: Runtime, owner_id: UUID) -> int: ...

        await count_reports(runtime, owner_id)
        await count_reports.forget(runtime, owner_id)

    The first argument holds the cache, as the runtime does. The others form the key, and must be of types that pydantic
    serialises to JSON. The value is stored as JSON and validated by the return annotation, so every caller gets an
    object of its own. `None` is cached like any other value; exceptions are not cached.

    Concurrent calls don't cause a stampede. Within a process, one call computes the value and the others wait for it.
    Across processes, one of them renews a frequently used value shortly before it expires; a missing value is computed
    at most once per process.

    Args:
        name: the prefix of the keys; unique, such as `module.function`.
        ttl: the maximum age of a value.
    """

    def decorate(function: Callable[Concatenate[H, P], Awaitable[T]]) -> Cached[H, P, T]:
        return Cached(function, name, ttl)

    return decorate
