"""What stands in for modules that are absent."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.audit import Audit, AuditEntry, NoAudit
from app.core.cache import Cache, MemoryCache
from app.core.plans import FreePlan, Plans

MINUTE = timedelta(minutes=1)


class TestFreePlan:
    async def test_is_everybody_s_and_has_no_limits(self, session: AsyncSession) -> None:
        plans: Plans = FreePlan()
        assert await plans.plan_of(session, uuid7()) == "free"
        assert await plans.remaining(session, uuid7(), "api_calls") is None
        assert await plans.consume(session, uuid7(), "api_calls", 1000)
        await plans.give_back(session, uuid7(), "api_calls", 1000)


class TestMemoryCache:
    async def test_keeps_a_value_until_it_is_deleted(self) -> None:
        cache: Cache = MemoryCache()
        await cache.set("key", b"value", MINUTE)
        assert await cache.get("key") == b"value"
        await cache.delete("key")
        await cache.delete("key")
        assert await cache.get("key") is None

    async def test_forgets_what_has_expired(self) -> None:
        cache = MemoryCache()
        await cache.set("key", b"value", timedelta(0))
        assert await cache.get("key") is None

    async def test_forgets_what_was_not_used_for_longest(self) -> None:
        cache = MemoryCache(max_items=2)
        await cache.set("one", b"1", MINUTE)
        await cache.set("two", b"2", MINUTE)
        await cache.get("one")
        await cache.set("three", b"3", MINUTE)
        assert [await cache.get(key) for key in ("one", "two", "three")] == [b"1", None, b"3"]


class TestNoAudit:
    async def test_takes_every_entry(self, session: AsyncSession) -> None:
        audit: Audit = NoAudit()
        await audit.record(session, AuditEntry(actor_id=uuid7(), action="look", target_type="thing", target_id="1"))
