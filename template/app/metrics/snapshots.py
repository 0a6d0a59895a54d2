"""Snapshots of numbers in the database. One process at a time reads them, for all processes of a machine."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily

from app.core.data_policy.statistics import compute_figures, compute_gauges
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.metrics.directory import DirectoryBusyError, MetricsDirectory

logger = structlog.stdlib.get_logger(__name__)

READ_TIMEOUT: Final = 5.0
"""Seconds for reading one snapshot."""
SCRAPE_TIMEOUT: Final = 2.0
"""Seconds for which a scrape waits for new values before it is answered with the earlier ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A metric with the values of its labels and its numbers."""

    name: str
    help: str
    labels: Sequence[str]
    rows: Sequence[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class Reading:
    """The metrics that were read. If the reading is not complete, the earlier values of the others stay."""

    series: Sequence[Series]
    is_complete: bool


@dataclass(kw_only=True, slots=True)
class Snapshot:
    """Metrics that were read from the database together. Times are Unix times in seconds; 0 before the first read."""

    attempted_at: float = 0.0
    read_at: float = 0.0
    series: list[Series] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether the last read succeeded."""
        return self.read_at > 0 and self.read_at >= self.attempted_at

    @classmethod
    def load(cls, path: Path) -> "Snapshot":
        """Load the snapshot that some process has stored. An absent or damaged file is an empty snapshot."""
        try:
            stored = json.loads(path.read_text())
            series = [Series(**{**one, "rows": [tuple(row) for row in one["rows"]]}) for one in stored.pop("series")]
            return cls(**stored, series=series)
        except (OSError, ValueError, TypeError, KeyError):
            return cls()

    def store(self, path: Path) -> None:
        """Replace the stored snapshot. A reader sees the earlier one or this one."""
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a snapshot.

    Attributes:
        interval: the minimum number of seconds between two reads.
    """

    name: str
    interval: float
    read: Callable[[Runtime, datetime], Awaitable[Reading]]


class SnapshotReader:
    """A reader of the snapshots that the processes of one machine share. Only a scrape starts a read."""

    def __init__(self, runtime: Runtime, directory: MetricsDirectory, sources: Sequence[Source] | None = None) -> None:
        self._runtime = runtime
        self._directory = directory
        self._sources = SOURCES if sources is None else sources
        self._reading: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Read the snapshots that are due. Wait at most SCRAPE_TIMEOUT; the read continues in the background."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_due())
        await asyncio.wait([self._reading], timeout=SCRAPE_TIMEOUT)

    async def close(self) -> None:
        """Cancel a read that is running."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    @property
    def all_succeeded(self) -> bool:
        """Whether the last read of every snapshot succeeded. Snapshots that were never read don't count."""
        snapshots = [Snapshot.load(self._path(source)) for source in self._sources]
        return all(snapshot.succeeded for snapshot in snapshots if snapshot.attempted_at)

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Return the stored snapshots as metrics, with their success and their age."""
        success = GaugeMetricFamily(
            "app_metrics_snapshot_success", "Whether the last read from the database succeeded.", labels=["snapshot"]
        )
        age = GaugeMetricFamily(
            "app_metrics_snapshot_age_seconds", "Age of the values of the snapshot.", labels=["snapshot"]
        )
        for source in self._sources:
            snapshot = Snapshot.load(self._path(source))
            success.add_metric([source.name], float(snapshot.succeeded))
            if snapshot.read_at:
                age.add_metric([source.name], max(0.0, time.time() - snapshot.read_at))
            for series in snapshot.series:
                family = GaugeMetricFamily(series.name, series.help, labels=list(series.labels))
                for labels, value in series.rows:
                    family.add_metric(list(labels), value)
                yield family
        yield success
        yield age

    async def _read_due(self) -> None:
        for source in self._sources:
            if self._is_due(source):
                await self._read_alone(source)

    async def _read_alone(self, source: Source) -> None:
        """Read the snapshot, unless another process is reading it."""
        try:
            with self._directory.locked(f"snapshot-{source.name}", timeout=0):
                if self._is_due(source):
                    await self._read(source)
        except DirectoryBusyError:
            return

    async def _read(self, source: Source) -> None:
        path = self._path(source)
        snapshot = Snapshot.load(path)
        snapshot.attempted_at = time.time()
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                reading = await source.read(self._runtime, utc_now())
        except Exception as error:  # noqa: BLE001 - whatever fails, the earlier values stay, with their age
            logger.warning("metrics_snapshot_failed", snapshot=source.name, error=type(error).__name__)
        else:
            names = {series.name for series in reading.series}
            snapshot.series = [*reading.series, *(series for series in snapshot.series if series.name not in names)]
            if reading.is_complete:
                snapshot.series = list(reading.series)
                snapshot.read_at = time.time()
        snapshot.store(path)

    def _is_due(self, source: Source) -> bool:
        # A clock that was set back must not stop the reads.
        return not 0 <= time.time() - Snapshot.load(self._path(source)).attempted_at < source.interval

    def _path(self, source: Source) -> Path:
        return self._directory.path / f"{source.name}.json"


async def read_gauges(runtime: Runtime, now: datetime) -> Reading:
    """Read the gauges of all modules. Each statement takes a connection for itself only."""
    results = await compute_gauges(runtime, now)
    series = [
        Series(name=result.gauge.name, help=result.gauge.help, labels=result.gauge.labels, rows=result.rows)
        for result in results
        if result.rows is not None
    ]
    return Reading(series, is_complete=len(series) == len(results))


async def read_figures(runtime: Runtime, now: datetime) -> Reading:
    """Read the business figures of all modules. Of a series by day, only today's number has a stable label."""
    today = f"{now.astimezone(UTC):%Y-%m-%d}"
    figures = await compute_figures(runtime, now)
    rows = [
        (
            [figure.module, figure.name, "today" if value.label == today else value.label, figure.unit],
            float(value.value),
        )
        for figure in figures
        for value in figure.values or ()
        if value.label == today or not _is_day(value.label)
    ]
    text = "Business figures: those of the administrators' dashboard."
    series = Series(name="app_figure", help=text, labels=("module", "figure", "label", "unit"), rows=rows)
    return Reading([series], is_complete=all(figure.values is not None for figure in figures))


def _is_day(label: str) -> bool:
    try:
        date.fromisoformat(label)
    except ValueError:
        return False
    return True


SOURCES: Final = (Source("gauges", 15.0, read_gauges), Source("figures", 60.0, read_figures))
