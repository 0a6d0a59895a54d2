"""The figures of a day."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col
from structlog.testing import capture_logs

from app.core.data_policy.daily_report import DailyReport, generate_daily_report, make_report, rows, rows_since
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, ReportMetric, Subscriber
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.inbox.shop import OWNER, make_tables
from tests.core.things import Thing

DAY = date(2026, 3, 1)


class Mailbox(list[DailyReport]):
    """The URL that reports are sent to."""


async def read(runtime: Runtime, report: DailyReport) -> None:
    """Somebody who wants to know."""
    runtime.resource(Mailbox).append(report)


MODULE = Module(
    name="things",
    subscribers=(Subscriber(DailyReport, read),),
    report_metrics=(
        ReportMetric(name="things_made", count=rows_since(col(Thing.created_at))),
        ReportMetric(name="things_noted", count=rows_since(col(Thing.created_at), col(Thing.note).is_not(None))),
        ReportMetric(name="things", count=rows(Thing)),
    ),
)


@pytest.fixture
async def runtime(database: Database) -> AsyncIterator[Runtime]:
    """A runtime that counts things."""
    made = create_runtime((core, MODULE), database=database)
    assert isinstance(made.queue, InProcessQueue)
    made.queue.eager = False
    async with running(made, background=False) as started:
        started.provide(Mailbox, Mailbox())
        await make_tables(started)
        yield started


async def made_at(runtime: Runtime, *times: datetime) -> None:
    async with runtime.database.transaction() as session:
        session.add_all(Thing(owner_id=OWNER, name="thing", created_at=at, note=at.ctime()) for at in times)
        session.add_all(Thing(owner_id=OWNER, name="thing", created_at=at) for at in times)


async def test_count_the_events_from_midnight_to_midnight(runtime: Runtime) -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    await made_at(
        runtime, midnight - moment, midnight, midnight + timedelta(days=1) - moment, midnight + timedelta(days=1)
    )

    report = await make_report(runtime, DAY)

    assert report.day == DAY
    things = {name: count for name, count in report.metrics.items() if name.startswith("things")}
    assert things == {"things_made": 4, "things_noted": 2, "things": 8}
    assert (report.metrics["inbox_received"], report.metrics["inbox_failed"]) == (0, 0)


async def test_of_yesterday_are_logged_in_one_line_and_published(
    runtime: Runtime,
) -> None:
    yesterday = utc_now() - timedelta(days=1)
    await made_at(runtime, yesterday)

    with capture_logs() as logs:
        figures = await generate_daily_report(runtime)
    await runtime.queue.drain()

    assert figures["things_made"] == 2
    assert list(runtime.resource(Mailbox)) == [DailyReport(day=yesterday.date(), metrics=figures)]
    (line,) = logs
    assert (line["event"], line["day"], line["things_made"]) == ("daily_report", yesterday.date().isoformat(), 2)
