"""The exposition of the metrics of all processes in Prometheus' text format."""

import asyncio
import hashlib
import struct
import tempfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.engine import make_url

from app.core.config.settings import Settings
from app.core.errors import ServiceUnavailableError
from app.core.runtime import Runtime
from app.metrics.directory import DirectoryBusyError, MetricsDirectory, effective_user, values_in
from app.metrics.instruments import Instruments
from app.metrics.settings import MetricsSettings
from app.metrics.snapshots import SnapshotReader

logger = structlog.stdlib.get_logger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def directory_path(runtime: Runtime) -> Path:
    """Return the directory that all processes of this application on this machine share."""
    chosen = runtime.resource(MetricsSettings).METRICS_DIR
    return chosen or Path(tempfile.gettempdir()) / f"metrics-{effective_user()}-{_application_id(runtime.settings)}"


def _application_id(settings: Settings) -> str:
    """Return a short id of the application: its name, its environment and its database, without credentials."""
    url = make_url(settings.DATABASE_URL) if settings.DATABASE_URL else None
    database = (url.host, url.port, url.database) if url else ()
    facts = repr((settings.PROJECT_NAME, settings.ENVIRONMENT.value, *database))
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


class _Families(Collector):
    """Metrics that were collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        """See `Collector.collect`."""
        return self._families


class Exposition:
    """The answer to scrapes. Scrapes at the same time share one answer."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._answer: asyncio.Task[bytes] | None = None

    @cached_property
    def directory(self) -> MetricsDirectory:
        """The shared directory."""
        return MetricsDirectory(directory_path(self._runtime))

    @cached_property
    def snapshots(self) -> SnapshotReader:
        """The snapshots of numbers in the database."""
        return SnapshotReader(self._runtime, self.directory)

    async def text(self) -> bytes:
        """Return all metrics.

        Raises:
            ServiceUnavailableError: another process holds the directory's lock for too long, or the directory
                was deleted.
        """
        if self._answer is None or self._answer.done():
            self._answer = asyncio.create_task(self._render())
        try:
            # A client that disconnects does not cancel the answer for the others.
            return await asyncio.shield(self._answer)
        except DirectoryBusyError:
            raise ServiceUnavailableError("The metrics are being read by another process. Try again.") from None
        except OSError as error:
            logger.warning("metrics_directory_not_usable", error=type(error).__name__)
            raise ServiceUnavailableError("The metrics directory cannot be used. Restart the application.") from None

    async def is_complete(self) -> bool:
        """Return whether the shared directory can be used, and the last reads from the database succeeded."""
        recorder = self._runtime.find_resource(Instruments)
        if recorder is not None and not await asyncio.to_thread(recorder.are_exposed):
            return False
        return self.snapshots.all_succeeded

    async def close(self) -> None:
        """Cancel a read that is running."""
        await self.snapshots.close()

    async def _render(self) -> bytes:
        await self.snapshots.refresh()
        return await asyncio.to_thread(lambda: render(self.directory, self.snapshots.families()))


def render(directory: MetricsDirectory, others: Iterable[Metric]) -> bytes:
    """Return the metrics of all processes, and others, in Prometheus' text format.

    Raises:
        DirectoryBusyError: another process holds the directory's lock for too long.
    """
    with directory.locked():
        recorded = _merge(directory.files())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*recorded, *others]))
    return generate_latest(registry)


def _merge(files: Sequence[str]) -> Iterable[Metric]:
    """Return the metrics of all files, without the damaged ones."""
    try:
        return tuple(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]  # untyped library
    except (ValueError, TypeError, RuntimeError, struct.error):
        readable = [file for file in files if values_in(Path(file)) is not None]
        return tuple(MultiProcessCollector.merge(readable))  # type: ignore[no-untyped-call]  # untyped library
