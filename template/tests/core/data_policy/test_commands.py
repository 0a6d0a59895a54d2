"""The commands `app cleanup`, `app report` and `app stats`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import utc_now
from app.core.inbox.data_policy import KEEP_DONE
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.inbox.shop import events, sell, tell
from tests.databases import Databases


@pytest.fixture
async def runtime(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime on the database that the command finds in its environment; it has two events in its inbox."""
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        made = create_runtime([core, Module(name="shop", inbox_handlers=(sell,))], database=create_database(Settings()))
        assert isinstance(made.queue, InProcessQueue)
        made.queue.eager = False
        await tell(made, "1")
        await tell(made, "2")
        yield made
        await made.database.dispose()


async def app(*arguments: str) -> Result:
    """Run `app …` in a thread, because it starts its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, arguments)


async def change_events(runtime: Runtime, **values: object) -> None:
    async with runtime.database.transaction() as session:
        await session.execute(update(InboxEvent).values(**values))


async def test_cleanup_prints_the_number_of_deleted_rows(runtime: Runtime) -> None:
    await change_events(runtime, status=InboxStatus.DONE, processed_at=utc_now() - KEEP_DONE - timedelta(days=1))

    result = await app("cleanup")

    assert result.exit_code == 0, result.output
    assert "inbox_events: 2" in result.stdout.splitlines()
    assert "old_data_removed" not in result.stdout
    # The log is on standard error, so that other programs can read the result.
    assert "old_data_removed" in result.stderr
    assert await events(runtime) == []


async def test_report_shows_a_day(runtime: Runtime) -> None:
    await change_events(runtime, received_at=datetime(2026, 3, 1, 12, tzinfo=UTC))

    shown = (await app("report", "--day", "2026-03-01")).stdout.splitlines()

    assert shown[0] == "2026-03-01"
    assert "  inbox_received: 2" in shown
    assert "  inbox_received: 0" in (await app("report", "--day", "2026-03-02")).stdout.splitlines()


async def test_report_shows_yesterday(runtime: Runtime) -> None:
    del runtime
    shown = (await app("report")).stdout.splitlines()

    assert shown[0] == (utc_now() - timedelta(days=1)).date().isoformat()
    assert "  inbox_received: 0" in shown


async def test_stats_shows_the_figures_of_every_module(runtime: Runtime) -> None:
    del runtime
    shown = (await app("stats")).stdout.splitlines()

    assert shown[shown.index("webhooks (count)") + 1] == "  pending: 2"
    assert shown[shown.index("app_inbox_events") + 1] == "  pending: 2"
