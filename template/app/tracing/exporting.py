"""Send spans to a collector: in batches, from a thread of its own, and never at the expense of a request.

If the collector is slow, refuses or is gone, spans wait in a bounded queue, and the ones that don't fit are dropped.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer
from uuid_utils.compat import uuid7

from app.core.config.settings import Settings
from app.tracing.session import bounded_session
from app.tracing.settings import TracingSettings

MAX_QUEUE: Final = 2048
MAX_BATCH: Final = 512
BATCH_DELAY: Final = timedelta(seconds=5)
EXPORT_TIMEOUT: Final = timedelta(seconds=5)
"""The timeout of a batch, with its retries."""
SHUTDOWN_TIMEOUT: Final = timedelta(seconds=3)
"""Time that a stopping process gives to its last spans."""
LOG_INTERVAL: Final = timedelta(minutes=5)
LOGGERS: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
)
"""Loggers of the libraries, which log every failed batch and every dropped span."""


class Throttle(logging.Filter):
    """A filter that lets one line of each logger pass per interval.

    Args:
        interval: the time between two lines.
    """

    def __init__(self, interval: timedelta = LOG_INTERVAL) -> None:
        super().__init__()
        self._interval = interval.total_seconds()
        self._passed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        now = time.monotonic()
        last = self._passed_at.get(record.name)
        if last is not None and now - last < self._interval:
            return False
        self._passed_at[record.name] = now
        return True


THROTTLE: Final = Throttle()


@asynccontextmanager
async def open_tracer(
    settings: Settings, tracing: TracingSettings, *, batch_delay: timedelta = BATCH_DELAY
) -> AsyncIterator[Tracer]:
    """Yield a tracer whose spans are sent to the collector. At the end, the last ones get `SHUTDOWN_TIMEOUT`.

    Args:
        settings: the core's.
        tracing: those of tracing, with a collector.
        batch_delay: the maximum time that a span waits for others.
    """
    exporter = OTLPSpanExporter(
        endpoint=tracing.traces_url,
        headers=tracing.headers,
        timeout=EXPORT_TIMEOUT.total_seconds(),
        compression=Compression.Gzip,
        session=bounded_session(),
    )
    processor = BatchSpanProcessor(
        exporter,
        max_queue_size=MAX_QUEUE,
        max_export_batch_size=MAX_BATCH,
        schedule_delay_millis=batch_delay.total_seconds() * 1000,
    )
    provider = TracerProvider(
        sampler=ALWAYS_ON,  # The listener has decided before.
        resource=Resource(_resource(settings, tracing)),
        span_limits=SpanLimits(max_span_attribute_length=2_000),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    _throttle_loggers()
    try:
        yield provider.get_tracer("app")
    finally:
        await _shut_down(processor, exporter)


def _resource(settings: Settings, tracing: TracingSettings) -> dict[str, str]:
    environment = settings.ENVIRONMENT.value
    attributes = {
        "service.name": settings.PROJECT_NAME,
        "service.instance.id": str(uuid7()),
        "deployment.environment": environment,
        # Its name since version 1.27 of the conventions.
        "deployment.environment.name": environment,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    if tracing.OTEL_SERVICE_VERSION:
        attributes["service.version"] = tracing.OTEL_SERVICE_VERSION
    return attributes


def _throttle_loggers() -> None:
    """Throttle the libraries' loggers. Never undone: an export that hangs may log after the end of the application."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(THROTTLE)


async def _shut_down(processor: BatchSpanProcessor, exporter: OTLPSpanExporter) -> None:
    """Send what is in the queue, until the deadline. A request that hangs then ends with the process."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        processor.shutdown()  # type: ignore[no-untyped-call]
        try:
            loop.call_soon_threadsafe(done.set)
        except RuntimeError:
            # The loop is closed: the deadline has passed.
            return

    # Not in the loop's executor, which waits for its threads however long they take.
    threading.Thread(target=run, name="tracing-shutdown", daemon=True).start()
    try:
        async with asyncio.timeout(SHUTDOWN_TIMEOUT.total_seconds()):
            await done.wait()
    except TimeoutError:
        exporter.shutdown()  # type: ignore[no-untyped-call]
