"""Events whose process was killed, and events that wait."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.inbox import sweeper as inbox_sweeper
from app.core.inbox.models import InboxStatus
from app.core.inbox.service import MAX_ATTEMPTS
from app.core.inbox.sweeper import sweep, sweeping
from app.core.runtime import Runtime
from app.kit import periodic
from app.migrate.migrations import upgrade
from tests.core.inbox.shop import Shop, events, let_come_due, make_tables, only_event, shop_in_process, sold, tell
from tests.databases import Databases
from tests.processes import KILLED


def runtime_on(url: str) -> Runtime:
    """A runtime with the shop; received events are left to the sweeper."""
    return shop_in_process(create_database(Settings().with_database(url)))


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """A database that processes share."""
    async with databases.fresh() as made:
        yield made


@pytest.fixture
async def runtime(url: str) -> AsyncIterator[Runtime]:
    """A runtime on it."""
    made = runtime_on(url)
    await make_tables(made)
    yield made
    await made.database.dispose()


async def process(what: str, url: str) -> int:
    """Run the shop in a separate process, and return its exit code."""
    command = (sys.executable, "-m", "tests.core.inbox.shop", what)
    child = await asyncio.create_subprocess_exec(*command, env={**os.environ, "DATABASE_URL": url})
    return await child.wait()


class TestKilled:
    async def test_before_the_event_was_handled_another_process_handles_it(self, url: str, runtime: Runtime) -> None:
        assert await process("receive-and-die", url) == KILLED
        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.PENDING, 0)

        assert await process("work", url) == 0

        assert (await only_event(runtime)).status == InboxStatus.DONE
        assert await sold(runtime) == ["cup"]

    async def test_while_it_was_handled_another_process_does_when_the_lease_ends(
        self, url: str, runtime: Runtime
    ) -> None:
        assert await process("die-while-handling", url) == KILLED
        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.PENDING, 1)
        assert await sold(runtime) == []
        await sweep(runtime)
        assert await sold(runtime) == []

        await let_come_due(runtime)
        assert await process("work", url) == 0

        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.DONE, 2)
        assert await sold(runtime) == ["cup"]


class TestSweep:
    async def test_handles_all_due_events(self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbox_sweeper, "BATCH", 2)
        for number in range(5):
            await tell(runtime, str(number), f"cup {number}")
        await sweep(runtime)
        assert await sold(runtime) == [f"cup {number}" for number in range(5)]

    async def test_one_that_fails_does_not_keep_it_from_the_others(self, runtime: Runtime) -> None:
        await tell(runtime, "1", "x" * 51)
        runtime.resource(Shop).error = LookupError()
        await sweep(runtime)
        runtime.resource(Shop).error = None
        await tell(runtime, "2", "cup")
        await sweep(runtime)
        assert [event.status for event in await events(runtime)] == [InboxStatus.PENDING, InboxStatus.DONE]

    async def test_two_concurrent_sweeps_have_one_effect_per_event(self, url: str, runtime: Runtime) -> None:
        for number in range(20):
            await tell(runtime, str(number), f"cup {number:02}")
        other = runtime_on(url)
        await asyncio.gather(sweep(runtime), sweep(other), sweep(runtime))
        await other.database.dispose()
        assert await sold(runtime) == [f"cup {number:02}" for number in range(20)]
        assert {event.attempts for event in await events(runtime)} == {1}

    async def test_gives_up_an_event_that_was_killed_at_every_attempt(
        self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.core.inbox.service.LEASE", timedelta(0))
        runtime.resource(Shop).error = asyncio.CancelledError()  # as good as killed
        await tell(runtime)
        for _ in range(MAX_ATTEMPTS):
            with pytest.raises(asyncio.CancelledError):
                await sweep(runtime)
        await sweep(runtime)
        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.FAILED, MAX_ATTEMPTS)
        assert event.error == "The process ended during the last attempt."


class TestSweeping:
    async def test_begins_immediately_and_finishes_running_events(self, runtime: Runtime) -> None:
        await tell(runtime)
        async with sweeping(runtime):
            await runtime.resource(Shop).handled.wait()
        assert (await only_event(runtime)).status == InboxStatus.DONE

    async def test_runs_periodically(self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbox_sweeper, "INTERVAL", timedelta(milliseconds=10))
        shop = runtime.resource(Shop)
        async with sweeping(runtime):
            for number in range(3):
                shop.handled.clear()
                await tell(runtime, str(number), f"cup {number}")
                await shop.handled.wait()
        assert len(await sold(runtime)) == 3

    async def test_stops_soon_when_a_handler_hangs(self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(periodic, "STOP_TIMEOUT", timedelta(milliseconds=10))
        shop = runtime.resource(Shop)
        shop.hangs = True
        await tell(runtime)
        async with asyncio.timeout(5), sweeping(runtime):
            await shop.begun.wait()
        assert (await only_event(runtime)).status == InboxStatus.PENDING
        assert await sold(runtime) == []

    async def test_continues_after_a_database_error(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox_sweeper, "INTERVAL", timedelta(milliseconds=10))
        async with databases.empty() as url:
            runtime = runtime_on(url)
            with capture_logs() as logs:
                async with sweeping(runtime):
                    async with asyncio.timeout(5):
                        while not logs:  # noqa: ASYNC110 - nothing else tells that it has looked
                            await asyncio.sleep(0.01)
                    await asyncio.to_thread(upgrade, url)
                    await make_tables(runtime)
                    await tell(runtime)
                    await runtime.resource(Shop).handled.wait()
            await runtime.database.dispose()
        assert [line["event"] for line in logs[:2]] == ["database_revision_missing", "inbox_sweep_failed"]
