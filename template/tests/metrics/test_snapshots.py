"""Numbers from the database: shared by processes, and kept while the database is away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import CompoundSelect, Select, literal, select, text, true, union_all
from sqlmodel import col

from app.core.config.settings import Settings
from app.core.data_policy.figures import rows_where
from app.core.data_policy.gauges import count_where
from app.core.data_policy.statistics import compute_gauges
from app.core.db.database import Database, create_database
from app.core.db.models import utc_now
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.lifecycle import create_runtime
from app.core.manifest import Figure, Gauge, Module
from app.core.module import module as core
from app.core.runtime import Runtime
from app.metrics.directory import MetricsDirectory
from app.metrics.exposition import render
from app.metrics.snapshots import Reading, SnapshotReader, Source, read_figures, read_gauges
from tests.metrics.scrapes import Scrape

NOBODY_LISTENS = "postgresql+asyncpg://user:password@127.0.0.1:1/none"
ALWAYS = (Source("gauges", 0.0, read_gauges),)
INCOMPLETE = Module(
    name="incomplete",
    gauges=(
        Gauge(name="app_none", help="None.", query=lambda _runtime, _now: text("SELECT * FROM nowhere")),
        Gauge(name="app_text", help="A text, no number.", query=rows_where(InboxEvent)),
        Gauge(name="app_short", help="No number.", query=lambda _runtime, _now: select(literal("a")), labels=("a",)),
    ),
    figures=(Figure(name="short", query=lambda _runtime, _now: select(literal("a"))),),
)
SELDOM = (Source("gauges", 3600.0, read_gauges),)
_reads: list[datetime] = []


def _read_colours(_runtime: Runtime, now: datetime) -> Select[str, int]:
    _reads.append(now)
    return select(literal("red"), literal(4))


def _painted(_runtime: Runtime, now: datetime) -> CompoundSelect[str, int, bool]:
    rows = {f"{now:%Y-%m-%d}": 7, "2001-02-03": 1, "walls": 2}
    return union_all(*(select(literal(label), literal(number), true()) for label, number in rows.items()))


colours = Module(
    name="colours",
    gauges=(Gauge(name="app_colours", help="Colours.", query=_read_colours, labels=("colour",)),),
    figures=(Figure(name="painted", query=_painted),),
)


@pytest.fixture
def runtime(database: Database) -> Runtime:
    return create_runtime([core, colours], database=database)


@pytest.fixture
async def away() -> AsyncIterator[Runtime]:
    """A runtime whose database does not answer."""
    database = create_database(Settings().with_database(NOBODY_LISTENS))
    yield create_runtime([core, colours], database=database)
    await database.dispose()


def scrape(snapshots: SnapshotReader, folder: Path) -> Scrape:
    return Scrape(render(MetricsDirectory(folder), snapshots.families()))


async def test_gauges_are_read_with_their_labels(runtime: Runtime, folder: Path) -> None:
    snapshots = SnapshotReader(runtime, MetricsDirectory(folder), ALWAYS)
    await snapshots.refresh()
    found = scrape(snapshots, folder)
    assert found.total("app_colours", colour="red") == 4
    assert found.total("app_metrics_snapshot_success", snapshot="gauges") == 1
    assert snapshots.all_succeeded


async def test_scrapes_of_all_processes_share_one_read(runtime: Runtime, folder: Path) -> None:
    readers = [SnapshotReader(runtime, MetricsDirectory(folder), SELDOM) for _ in range(3)]
    _reads.clear()
    await asyncio.gather(*(snapshots.refresh() for snapshots in readers for _ in range(5)))
    for snapshots in readers:
        await snapshots.refresh()
    assert len(_reads) == 1
    assert {scrape(snapshots, folder).total("app_colours") for snapshots in readers} == {4}


async def test_earlier_values_are_kept_while_the_database_is_away(
    runtime: Runtime, away: Runtime, folder: Path
) -> None:
    await SnapshotReader(runtime, MetricsDirectory(folder), ALWAYS).refresh()
    snapshots = SnapshotReader(away, MetricsDirectory(folder), ALWAYS)
    await snapshots.refresh()
    found = scrape(snapshots, folder)
    assert found.total("app_colours", colour="red") == 4
    assert found.total("app_metrics_snapshot_success", snapshot="gauges") == 0
    assert found.total("app_metrics_snapshot_age_seconds", snapshot="gauges") > 0
    assert not snapshots.all_succeeded


async def test_a_read_that_hangs_delays_no_scrape_for_long(
    runtime: Runtime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_runtime: Runtime, _now: datetime) -> Reading:
        await asyncio.Event().wait()
        return Reading([], is_complete=True)

    monkeypatch.setattr("app.metrics.snapshots.SCRAPE_TIMEOUT", 0.01)
    snapshots = SnapshotReader(runtime, MetricsDirectory(folder), [Source("gauges", 0.0, hang)])
    async with asyncio.timeout(5):
        await snapshots.refresh()
    await snapshots.close()


async def test_the_age_of_the_oldest_pending_event_is_read(runtime: Runtime, folder: Path) -> None:
    snapshots = SnapshotReader(runtime, MetricsDirectory(folder), ALWAYS)
    await snapshots.refresh()
    assert scrape(snapshots, folder).total("app_inbox_oldest_age_seconds") == 0
    async with runtime.database.transaction() as session:
        for minutes, status in ((2, InboxStatus.PENDING), (1, InboxStatus.PENDING), (9, InboxStatus.DONE)):
            received = utc_now() - timedelta(minutes=minutes)
            session.add(
                InboxEvent(
                    provider="shop",
                    event_id=str(minutes),
                    payload={},
                    handler="h",
                    status=status,
                    received_at=received,
                    next_attempt_at=received,
                )
            )
    await snapshots.refresh()
    found = scrape(snapshots, folder)
    assert 120 <= found.total("app_inbox_oldest_age_seconds") < 150
    assert found.total("app_inbox_events", status="pending") == 2
    pending = Gauge(
        name="app_x", help="x", query=count_where(InboxEvent, col(InboxEvent.status) == InboxStatus.PENDING)
    )
    counted = create_runtime([core, Module(name="x", gauges=(pending,))], database=runtime.database)
    (result,) = [result for result in await compute_gauges(counted, utc_now()) if result.gauge is pending]
    assert result.rows == [([], 2)]


async def test_of_figures_by_day_only_today_has_a_label(runtime: Runtime, folder: Path) -> None:
    snapshots = SnapshotReader(runtime, MetricsDirectory(folder), [Source("figures", 0.0, read_figures)])
    await snapshots.refresh()
    found = scrape(snapshots, folder)
    labels = {"module": "colours", "figure": "painted", "unit": "count"}
    assert found.total("app_figure", label="today", **labels) == 7
    assert found.total("app_figure", label="walls", **labels) == 2
    assert "2001-02-03" not in found.values("app_figure", "label")


async def test_a_gauge_that_fails_does_not_hide_the_others(live_runtime: Runtime, folder: Path) -> None:
    runtime = create_runtime([core, INCOMPLETE, colours], database=live_runtime.database)
    snapshots = SnapshotReader(runtime, MetricsDirectory(folder), (*ALWAYS, Source("figures", 0.0, read_figures)))
    await snapshots.refresh()
    found = scrape(snapshots, folder)
    assert found.total("app_colours", colour="red") == 4
    assert found.total("app_figure", figure="painted", label="walls") == 2
    assert found.total("app_metrics_snapshot_success", snapshot="gauges") == 0
    assert found.total("app_metrics_snapshot_success", snapshot="figures") == 0
