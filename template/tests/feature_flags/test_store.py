"""Changes reach other processes, and failures keep the last state."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Executable, Row
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.db.engine import DatabaseUnavailableError
from app.core.ports.cache import MemoryCache
from app.core.runtime import Runtime
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.schemas import FlagRead
from app.feature_flags.store import FlagStore, Timing
from tests.feature_flags.conftest import Seconds, administration_of, create_flag

ALL: dict[str, Any] = {"everyone": True}
QUICK = Timing(poll=0.01)


class FailingDatabase(Database):
    """The test's database, which fails or hangs when a test says so."""

    def __init__(self, inner: Database) -> None:
        super().__init__(None)
        self._inner = inner
        self.failing = False
        self.hanging = False
        self.reads = 0

    async def fetch(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """See `Database.fetch`."""
        self.reads += 1
        if self.failing:
            raise DatabaseUnavailableError
        if self.hanging:
            await asyncio.Event().wait()
        return await self._inner.fetch(statement, parameters)


@pytest.fixture
def seconds() -> Seconds:
    """The clock of the other process."""
    return Seconds()


@pytest.fixture
def failing(runtime: Runtime) -> FailingDatabase:
    """The database of the other process."""
    return FailingDatabase(runtime.database)


@pytest.fixture
async def other(runtime: Runtime, failing: FailingDatabase, seconds: Seconds) -> AsyncIterator[FeatureFlags]:
    """The flags in another process, which shares the database and the cache."""
    process = Runtime(settings=runtime.settings, database=failing, cache=runtime.cache)
    flags = FeatureFlags(process, FlagStore(process, QUICK, seconds))
    yield flags
    await flags.close()


async def switch(runtime: Runtime, flag: FlagRead, *, enabled: bool) -> None:
    """Enable or disable a flag in the first process."""
    async with runtime.database.transaction() as session:
        await administration_of(runtime, session).switch(flag.id, enabled=enabled)


async def until(flags: FeatureFlags, *, enabled: bool) -> None:
    """Wait until the other process sees the change."""
    async with asyncio.timeout(5):
        while await flags.enabled("editor", None) is not enabled:  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0)


class TestOtherProcesses:
    async def test_see_a_change_at_the_next_look_at_the_cache(self, runtime: Runtime, other: FeatureFlags) -> None:
        flag = await create_flag(runtime, "editor", ALL)
        async with other.store.watching():
            await until(other, enabled=True)
            await switch(runtime, flag, enabled=False)
            await until(other, enabled=False)

    async def test_without_a_shared_cache_see_it_after_ten_seconds(
        self, runtime: Runtime, other: FeatureFlags, seconds: Seconds, failing: FailingDatabase
    ) -> None:
        runtime.cache = MemoryCache()
        flag = await create_flag(runtime, "editor", ALL)
        async with other.store.watching():
            await until(other, enabled=True)
            await switch(runtime, flag, enabled=False)
            seconds.now += 9
            assert await other.enabled("editor", None)
            seconds.now += 1
            await until(other, enabled=False)
        assert failing.reads < 10

    async def test_without_background_work_ask_the_database_after_ten_seconds(
        self, runtime: Runtime, other: FeatureFlags, seconds: Seconds
    ) -> None:
        flag = await create_flag(runtime, "editor", ALL)
        found = [await other.enabled("editor", None)]
        await switch(runtime, flag, enabled=False)
        for elapsed in (9, 1):
            seconds.now += elapsed
            found.append(await other.enabled("editor", None))

        assert found == [True, True, False]

    async def test_load_nothing_while_nothing_changes(
        self, runtime: Runtime, other: FeatureFlags, seconds: Seconds, failing: FailingDatabase
    ) -> None:
        await create_flag(runtime, "editor", ALL)
        await other.enabled("editor", None)
        loaded = failing.reads
        for _ in range(3):
            seconds.now += 10
            await other.enabled("editor", None)

        assert failing.reads == loaded + 3


class TestRollback:
    async def test_announces_nothing(self, runtime: Runtime, flags: FeatureFlags) -> None:
        flag = await create_flag(runtime, "editor", ALL)
        assert await flags.enabled("editor", None)
        announced = await runtime.cache.get("feature_flags:changed")

        async def fail() -> None:
            async with runtime.database.transaction() as session:
                await administration_of(runtime, session).switch(flag.id, enabled=False)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        assert await flags.enabled("editor", None)
        assert await runtime.cache.get("feature_flags:changed") == announced


class TestOutage:
    @pytest.mark.parametrize("outage", ["failing", "hanging"])
    async def test_keeps_the_last_state_and_is_logged_once(
        self,
        *,
        runtime: Runtime,
        other: FeatureFlags,
        failing: FailingDatabase,
        seconds: Seconds,
        outage: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        flag = await create_flag(runtime, "editor", ALL)
        assert await other.enabled("editor", None)
        await switch(runtime, flag, enabled=False)
        setattr(failing, outage, True)
        monkeypatch.setattr(other.store, "_timing", Timing(load_timeout=0.01))
        with capture_logs() as logs:
            for _ in range(3):
                seconds.now += 10
                assert await other.enabled("editor", None)
            setattr(failing, outage, False)
            monkeypatch.undo()
            seconds.now += 1
            assert not await other.enabled("editor", None)

        assert [line["event"] for line in logs] == ["feature_flags_not_loaded", "feature_flags_loaded_again"]

    async def test_at_the_start_all_flags_are_off_until_it_ends(
        self, runtime: Runtime, other: FeatureFlags, failing: FailingDatabase
    ) -> None:
        await create_flag(runtime, "editor", ALL)
        failing.failing = True
        async with other.store.watching():
            assert not await other.enabled("editor", uuid4())
            failing.failing = False
            await until(other, enabled=True)

    async def test_is_not_asked_again_and_again(
        self, runtime: Runtime, other: FeatureFlags, failing: FailingDatabase
    ) -> None:
        await create_flag(runtime, "editor", ALL)
        failing.failing = True
        await asyncio.gather(*(other.enabled("editor", uuid4()) for _ in range(100)))
        await other.enabled("editor", None)

        assert failing.reads == 1


class BrokenCache(MemoryCache):
    """A cache that raises."""

    async def get(self, key: str) -> bytes | None:
        """Raise."""
        raise OSError(key)

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """Raise."""
        raise OSError(key, value, ttl)


@asynccontextmanager
async def broken_cache(*runtimes: Runtime) -> AsyncIterator[None]:
    """Break the caches of the runtimes during the block."""
    caches = [runtime.cache for runtime in runtimes]
    for runtime in runtimes:
        runtime.cache = BrokenCache()
    yield
    for runtime, cache in zip(runtimes, caches, strict=True):
        runtime.cache = cache


async def test_a_broken_cache_leaves_the_database(runtime: Runtime, other: FeatureFlags, seconds: Seconds) -> None:
    with capture_logs() as logs:
        async with broken_cache(runtime, other.runtime):
            await _see_a_change(runtime, other, seconds)

    assert {line["event"] for line in logs if line["log_level"] == "error"} == {
        "feature_flags_not_announced",
        "feature_flags_not_watched",
    }


async def _see_a_change(runtime: Runtime, other: FeatureFlags, seconds: Seconds) -> None:
    flag = await create_flag(runtime, "editor", ALL)
    async with other.store.watching():
        await until(other, enabled=True)
        await switch(runtime, flag, enabled=False)
        seconds.now += 10
        await until(other, enabled=False)
    await runtime.resource(FeatureFlags).close()
