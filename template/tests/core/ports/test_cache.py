"""The cache in memory, and functions whose results are kept in a cache."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import BaseModel

from app.core.ports.cache import Cache, MemoryCache, Namespace, cached
from app.core.ports.telemetry import Telemetry

MINUTE = timedelta(minutes=1)
ID = UUID(int=7)


class Statistics(BaseModel):
    """Return a value that is expensive to compute."""

    owner: UUID
    since: datetime
    tags: tuple[str, ...] = ()


@dataclass
class Shop:
    """A service with a cache, and a record of the calls of the cached functions."""

    cache: Cache = field(default_factory=MemoryCache)
    telemetry: Telemetry = field(default_factory=Telemetry)
    asked: list[object] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.may_answer.set()
    return made


@cached("shop.statistics", ttl=MINUTE)
async def statistics(shop: Shop, owner: UUID, *, tag: str = "all") -> Statistics:
    """Return a count."""
    shop.asked.append((owner, tag))
    await shop.may_answer.wait()
    return Statistics(owner=owner, since=datetime(2030, 1, 1, tzinfo=UTC), tags=(tag,))


@cached("shop.nothing", ttl=MINUTE)
async def nothing(shop: Shop) -> Statistics | None:
    """Finds none."""
    shop.asked.append("nothing")
    return None


@cached("shop.refusal", ttl=MINUTE)
async def refusal(shop: Shop) -> int:
    """Raise an error."""
    shop.asked.append("refusal")
    await asyncio.sleep(0)
    raise ConnectionRefusedError


async def turns() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


class TestMemoryCache:
    async def test_keeps_a_value_until_it_is_deleted(self) -> None:
        cache: Cache = MemoryCache()
        await cache.set("key", b"value", MINUTE)
        assert await cache.get("key") == b"value"
        await cache.delete("key")
        await cache.delete("key")
        assert await cache.get("key") is None

    async def test_forgets_expired_values(self) -> None:
        cache = MemoryCache()
        await cache.set("key", b"value", timedelta(0))
        assert await cache.get("key") is None

    async def test_forgets_the_least_recently_used_value(self) -> None:
        cache = MemoryCache(max_items=2)
        await cache.set("one", b"1", MINUTE)
        await cache.set("two", b"2", MINUTE)
        await cache.get("one")
        await cache.set("three", b"3", MINUTE)
        assert [await cache.get(key) for key in ("one", "two", "three")] == [b"1", None, b"3"]


class TestValue:
    async def test_is_computed_once_and_has_its_type_when_read(self, shop: Shop) -> None:
        first = await statistics(shop, ID)
        second = await statistics(shop, ID)

        assert first == second == Statistics(owner=ID, since=datetime(2030, 1, 1, tzinfo=UTC), tags=("all",))
        assert first is not second
        assert shop.asked == [(ID, "all")]

    async def test_is_the_same_however_the_arguments_are_passed(self, shop: Shop) -> None:
        await statistics(shop, ID, tag="all")
        await statistics(shop, owner=ID)

        assert shop.asked == [(ID, "all")]

    async def test_is_another_for_other_arguments_and_for_another_cache(self, shop: Shop) -> None:
        await statistics(shop, ID)
        await statistics(shop, UUID(int=8))
        await statistics(shop, ID, tag="new")
        other = Shop(may_answer=shop.may_answer)
        await statistics(other, ID)

        assert len(shop.asked) == 3
        assert len(other.asked) == 1

    async def test_can_be_none(self, shop: Shop) -> None:
        assert await nothing(shop) is None
        assert await nothing(shop) is None
        assert shop.asked == ["nothing"]

    async def test_is_recomputed_when_it_is_forgotten(self, shop: Shop) -> None:
        await statistics(shop, ID)
        await statistics.forget(shop, ID)
        await statistics(shop, ID)

        assert len(shop.asked) == 2

    @pytest.mark.parametrize("found", [b"", b"nonsense", b"9e9 0.1\n{}", b"9e9 0.1\nnull"])
    async def test_of_another_release_is_recomputed(self, shop: Shop, found: bytes) -> None:
        await shop.cache.set(statistics.key(ID), found, MINUTE)

        assert (await statistics(shop, ID)).owner == ID

    async def test_has_a_key_that_can_be_read_unless_it_is_long(self) -> None:
        assert statistics.key(ID) == f'shop.statistics:["{ID}","all"]'
        assert len(statistics.key(ID, tag="x" * 1000)) < 100
        assert statistics.key(ID, tag="x" * 1000) != statistics.key(ID, tag="y" * 1000)


class TestStampede:
    async def test_one_of_many_concurrent_callers_computes_the_value(self, shop: Shop) -> None:
        shop.may_answer.clear()
        calls = [asyncio.create_task(statistics(shop, ID)) for _ in range(100)]
        await turns()
        shop.may_answer.set()
        values = await asyncio.gather(*calls)

        assert len(shop.asked) == 1
        assert values == [values[0]] * 100
        assert len({id(value) for value in values}) == 100

    async def test_another_caller_takes_over_from_a_cancelled_one(self, shop: Shop) -> None:
        shop.may_answer.clear()
        first, *others = [asyncio.create_task(statistics(shop, ID)) for _ in range(10)]
        await turns()
        first.cancel()
        await turns()
        shop.may_answer.set()

        assert {value.owner for value in await asyncio.gather(*others)} == {ID}
        assert first.cancelled()
        assert len(shop.asked) == 2

    async def test_an_error_is_raised_for_all_callers_and_not_cached(self, shop: Shop) -> None:
        calls = [refusal(shop) for _ in range(10)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(ConnectionRefusedError):
            await refusal(shop)

        assert {type(error) for error in errors} == {ConnectionRefusedError}
        assert len(shop.asked) == 2

    async def test_a_value_that_is_forgotten_during_its_computation_is_not_cached(self, shop: Shop) -> None:
        shop.may_answer.clear()
        early = asyncio.create_task(statistics(shop, ID))
        await turns()
        await statistics.forget(shop, ID)
        late = asyncio.create_task(statistics(shop, ID))
        await turns()
        shop.may_answer.set()

        assert await early == await late
        assert len(shop.asked) == 2
        assert await shop.cache.get(statistics.key(ID)) is not None

    async def test_a_valid_value_is_kept_if_its_renewal_fails(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(random, "random", lambda: 0.99)
        await shop.cache.set(refusal.key(), b"%r 10.0\n3" % (time.time() + 30), MINUTE)
        assert await refusal(shop) == 3
        await shop.cache.set(refusal.key(), b"%r 10.0\n3" % (time.time() - 1), MINUTE)
        with pytest.raises(ConnectionRefusedError):
            await refusal(shop)

    async def test_a_value_is_recomputed_at_random_before_it_expires(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # It took ten seconds to make, and expires in thirty.
        await shop.cache.set(nothing.key(), b"%r 10.0\nnull" % (time.time() + 30), MINUTE)
        monkeypatch.setattr(random, "random", lambda: 0.9)  # ln 0.1 is about -2.3: looks 23 seconds ahead
        await nothing(shop)
        assert shop.asked == []
        monkeypatch.setattr(random, "random", lambda: 0.99)  # and 46 seconds
        await nothing(shop)
        assert shop.asked == ["nothing"]


class TestNamespace:
    async def test_separates_its_keys(self) -> None:
        cache = MemoryCache()
        ours: Cache = Namespace(cache, "ours")
        theirs = Namespace(cache, "theirs")
        await ours.set("key", b"1", MINUTE)
        await theirs.set("key", b"2", MINUTE)
        await theirs.delete("key")

        assert await ours.get("key") == b"1"
        assert await theirs.get("key") is None
        assert await cache.get("ours:key") == b"1"
