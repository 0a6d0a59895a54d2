"""The current trace: what is a part of what, however operations end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import Context

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext

from app.core.context import current_trace
from app.core.ports.operations import (
    AICall,
    CacheLookup,
    ExternalCall,
    HttpRequest,
    JobAttempt,
    PoolCheckout,
    RealtimeConnection,
)
from app.core.ports.telemetry import Telemetry
from app.tracing.listener import MAX_DEPTH, TracingListener
from app.tracing.sampling import Sampler


class Spans:
    """Telemetry whose spans stay in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.telemetry = Telemetry()
        self.listener = TracingListener(provider.get_tracer("test"), Sampler(1, 1), lambda: "sqlite")

    def named(self, name: str) -> ReadableSpan:
        """Return the only span with a name."""
        (span,) = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return span

    def parent_of(self, name: str) -> int | None:
        """Return the id of a span's parent."""
        parent = self.named(name).parent
        return None if parent is None else parent.span_id

    def id_of(self, name: str) -> int:
        """Return the id of a span."""
        context = self.named(name).context
        assert isinstance(context, SpanContext)
        return context.span_id

    @property
    def names(self) -> list[str]:
        """The names of all spans."""
        return [span.name for span in self._exporter.get_finished_spans()]


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Return telemetry with a tracing listener."""
    made = Spans()
    token = current_trace.set(None)
    with made.telemetry.listening(made.listener):
        yield made
    current_trace.reset(token)


def a_request() -> HttpRequest:
    return HttpRequest(method="GET", request_id="1", traceparent=None, route="/a", status=200)


def a_job() -> JobAttempt:
    return JobAttempt(name="a", job_id="1", attempt=1, is_last=False, request_id=None)


def streamed() -> AICall:
    return AICall(provider="lab", model="x", streamed=True)


def test_the_trace_ends_with_its_request(spans: Spans) -> None:
    with spans.telemetry.observe(a_request()):
        assert current_trace.get() is not None
    assert current_trace.get() is None


def test_the_parts_of_a_stream_belong_to_the_request(spans: Spans) -> None:
    observe, lookup = spans.telemetry.observe, CacheLookup(name="a")
    with observe(a_request()), observe(streamed()), observe(lookup):
        pass
    assert spans.parent_of("cache a") == spans.parent_of("chat x") == spans.id_of("GET /a")


async def test_a_stream_that_is_closed_elsewhere_leaves_the_request_whole(spans: Spans) -> None:
    async def chunks() -> AsyncIterator[int]:
        with spans.telemetry.observe(ExternalCall(system="shop")):
            yield 1

    with spans.telemetry.observe(a_request()):
        stream = chunks()
        await anext(stream)
        await asyncio.create_task(_close(stream), context=Context())
    assert "GET /a" in spans.names
    assert current_trace.get() is None


async def test_abandoned_streams_of_a_long_connection_are_bounded(spans: Spans) -> None:
    def depth() -> int:
        current, found = current_trace.get(), 0
        while current is not None:
            current, found = getattr(current, "previous", None), found + 1
        return found

    connection = RealtimeConnection(request_id="1", route="/ws", accepted=True)
    with spans.telemetry.observe(connection):
        for _ in range(MAX_DEPTH * 3):
            # Never finished, as a stream that is closed in another task.
            spans.telemetry.start(ExternalCall(system="shop"))
        assert depth() == MAX_DEPTH
        with spans.telemetry.observe(ExternalCall(system="bank")):
            pass
    assert spans.names == ["call bank", "WEBSOCKET /ws"]
    assert current_trace.get() is None


async def _close(stream: AsyncIterator[int]) -> None:
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_task_that_outlives_the_request_is_no_part_of_it(spans: Spans) -> None:
    go_on = asyncio.Event()

    async def later() -> None:
        await go_on.wait()
        with spans.telemetry.observe(CacheLookup(name="late")), spans.telemetry.observe(ExternalCall(system="late")):
            pass

    with spans.telemetry.observe(a_request()):
        task = asyncio.create_task(later())
    go_on.set()
    await task
    assert spans.names == ["GET /a"]


def test_concurrent_operations_outside_of_a_trace_are_no_spans(spans: Spans) -> None:
    checkout = PoolCheckout(in_use=1, waited=0)
    with spans.telemetry.observe(ExternalCall(system="shop")), spans.telemetry.observe(checkout):
        pass
    assert spans.names == []


def test_a_job_without_an_origin_has_no_link(spans: Spans) -> None:
    with spans.telemetry.observe(a_job()):
        pass
    assert list(spans.named("process a").links) == []


def test_a_websocket_is_one_span(spans: Spans) -> None:
    connection = RealtimeConnection(request_id="1", route="/ws", accepted=True, user_id="me")
    with spans.telemetry.observe(connection):
        pass
    attributes = spans.named("WEBSOCKET /ws").attributes
    assert attributes is not None
    assert (attributes["http.response.status_code"], attributes["user.id"]) == (101, "me")
