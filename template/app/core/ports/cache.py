"""The port for values that may be forgotten, its null implementation in memory, and functions behind a cache."""

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

logger = structlog.stdlib.get_logger(__name__)

LONGEST_KEY: Final = 200
"""Of arguments, in characters; longer ones are hashed."""


class Cache(Protocol):
    """Values that may be forgotten at any time. Keys begin with who keeps them, as in `reports:42` (`Namespace`)."""

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
    """A part of a cache, in which keys meet no keys of others: `Namespace(runtime.cache, "reports")`."""

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
    """What holds a cache, such as the runtime."""

    @property
    def cache(self) -> Cache:
        """The cache."""
        ...


class _Kept[T](NamedTuple):
    """What is in the cache: when it expires, how many seconds it took to make, and the value."""

    expires: float
    cost: float
    value: T

    def written(self, as_type: TypeAdapter[T]) -> bytes:
        return b"%r %r\n%b" % (self.expires, self.cost, as_type.dump_json(self.value))

    @classmethod
    def read(cls, found: bytes, as_type: TypeAdapter[T]) -> "_Kept[T]":
        """Raises `ValueError` for what nothing here has written."""
        head, _, value = found.partition(b"\n")
        expires, cost = head.split()
        return cls(float(expires), float(cost), as_type.validate_json(value))

    @property
    def has_expired(self) -> bool:
        return time.time() >= self.expires

    def is_due(self) -> bool:
        """Whether to make it anew. The nearer the end and the dearer the value, the likelier, and at last certain.

        Source: Vattani, Chierichetti, Lowenstein, Optimal Probabilistic Cache Stampede Prevention, VLDB 2015.
        """
        return time.time() - self.cost * math.log(1.0 - random.random()) >= self.expires  # noqa: S311 - no secret


class Cached[H: HasCache, **P, T]:
    """A function behind a cache; `cached` makes it."""

    def __init__(self, function: Callable[Concatenate[H, P], Awaitable[T]], name: str, ttl: timedelta) -> None:
        self._function = function
        self._name = name
        self._ttl = ttl
        self._signature = inspect.signature(function)
        self._making: WeakKeyDictionary[Cache, dict[str, asyncio.Future[bytes]]] = WeakKeyDictionary()
        update_wrapper(self, function)

    async def __call__(self, holder: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The value in the cache; else what the function answers, which is kept."""
        key = self.key(*args, **kwargs)
        kept = await self._find(holder.cache, key)
        if kept is not None and not kept.is_due():
            return kept.value
        try:
            return await self._join_or_make(key, kept, holder, *args, **kwargs)
        except Exception as error:
            if kept is None or kept.has_expired:
                raise
            # It was early, and what is there is still good.
            logger.warning("cached_value_not_renewed", name=self._name, error=type(error).__name__)
            return kept.value

    async def forget(self, holder: H, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Has the next call with these arguments make the value anew. Call it after the commit of what has changed.

        What another process is making at this moment may still be from before; it goes with its `ttl`.
        """
        key = self.key(*args, **kwargs)
        self._making.get(holder.cache, {}).pop(key, None)
        await holder.cache.delete(key)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Under which the value for these arguments is kept, however they are passed."""
        bound = self._signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        arguments = to_json(list(bound.arguments.values())[1:]).decode()
        if len(arguments) > LONGEST_KEY:
            arguments = hashlib.sha256(arguments.encode()).hexdigest()
        return f"{self._name}:{arguments}"

    @cached_property
    def _type(self) -> TypeAdapter[T]:
        # When it is first needed: what the annotation names may stand below the function.
        return TypeAdapter(get_type_hints(self._function)["return"])

    async def _find(self, cache: Cache, key: str) -> _Kept[T] | None:
        found = await cache.get(key)
        try:
            return None if found is None else _Kept.read(found, self._type)
        except ValueError:
            # An earlier release has written it.
            return None

    async def _join_or_make(self, key: str, seen: _Kept[T] | None, holder: H, *args: P.args, **kwargs: P.kwargs) -> T:
        making = self._making.setdefault(holder.cache, {})
        while (other := making.get(key)) is not None:
            # Asked for in this process already. Who asked may have been cancelled; then the next one makes it.
            await asyncio.wait([other])
            if not other.cancelled():
                return self._type.validate_json(other.result())
        future = making[key] = asyncio.get_running_loop().create_future()
        try:
            # Another may have made it while this one was told what there was before.
            kept = await self._find(holder.cache, key)
            if kept is None or (seen is not None and kept.expires <= seen.expires):
                kept = await self._make(holder, *args, **kwargs)
                # Else it has been forgotten meanwhile.
                if making.get(key) is future:
                    await holder.cache.set(key, kept.written(self._type), self._ttl)
            future.set_result(self._type.dump_json(kept.value))
        except Exception as error:
            future.set_exception(error)
            future.exception()  # Nobody may be waiting.
            raise
        else:
            return kept.value
        finally:
            if making.get(key) is future:
                del making[key]
            future.cancel()

    async def _make(self, holder: H, *args: P.args, **kwargs: P.kwargs) -> _Kept[T]:
        started = time.monotonic()
        value = await self._function(holder, *args, **kwargs)
        return _Kept(time.time() + self._ttl.total_seconds(), time.monotonic() - started, value)


def cached[H: HasCache, **P, T](
    name: str, *, ttl: timedelta
) -> Callable[[Callable[Concatenate[H, P], Awaitable[T]]], Cached[H, P, T]]:
    """Keeps what a coroutine function answers.

        @cached("reports.count", ttl=timedelta(minutes=5))
        async def count_reports(runtime: Runtime, owner_id: UUID) -> int: ...

        await count_reports(runtime, owner_id)
        await count_reports.forget(runtime, owner_id)

    Its first argument has the cache, as the runtime does; the others become the key and have to be JSON, or of a type
    that pydantic writes as JSON. The annotation of what it answers says how the value is read back: whoever calls
    gets an object of their own. `None` is a value like others; an exception is not kept.

    Many who ask at the same time do not start a stampede. Within a process one call makes the value and the others
    wait for it. Across processes, a value that is used much is made anew by one of them shortly before it expires,
    so that the others never miss it; one that is missing is made once in each process at most.

    Args:
        name: what the keys begin with; the function's own, as in `module.what`.
        ttl: how long a value is kept.
    """

    def wrap(function: Callable[Concatenate[H, P], Awaitable[T]]) -> Cached[H, P, T]:
        return Cached(function, name, ttl)

    return wrap
