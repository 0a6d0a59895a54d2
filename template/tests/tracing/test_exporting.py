"""Collectors that are gone, slow or refuse: no request fails, no log fills, and the process ends in time."""

import asyncio
import gzip
import logging
import socket
import time
import tracemalloc
from datetime import timedelta

import pytest

from app.tracing import exporting
from app.tracing.exporting import Throttle
from tests.core.applications import PUBLIC, module
from tests.tracing.collector import Collector
from tests.tracing.conftest import Trace

REQUESTS = 30


async def read() -> None:
    """Do nothing."""


THINGS = module(("GET", "/thing", read))


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests short."""
    monkeypatch.setattr(exporting, "SHUTDOWN_TIMEOUT", timedelta(seconds=0.3))


@pytest.fixture(autouse=True)
def fresh_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the lines of other tests."""
    monkeypatch.setattr(exporting.THROTTLE, "_passed_at", {})


async def serve(trace: Trace, **settings: str) -> float:
    """Serve requests. Return the seconds that the end of the application took."""
    async with trace(THINGS, **settings) as (client, _):
        answers = await asyncio.gather(*(client.get(f"{PUBLIC}/thing") for _ in range(REQUESTS)))
        assert {answer.status_code for answer in answers} == {200}
        begun = time.perf_counter()
    return time.perf_counter() - begun


def lines_of_the_exporter(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "opentelemetry" in line]


async def test_a_dead_collector_loses_no_request(trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert await serve(trace, OTEL_EXPORTER_OTLP_ENDPOINT=url) < 2
    assert len(lines_of_the_exporter(capsys)) <= len(exporting.LOGGERS)


async def test_a_refusing_collector_loses_no_request(
    trace: Trace, collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    collector.status = 401
    assert await serve(trace) < 2
    assert collector.bodies
    assert len(lines_of_the_exporter(capsys)) == 1


async def test_a_hanging_collector_delays_nothing(trace: Trace, collector: Collector) -> None:
    collector.open.clear()
    assert 0.3 <= await serve(trace) < 2


async def test_an_endless_answer_is_not_read(
    trace: Trace, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MAX_BATCH", 8)
    collector.body = (bytes(64 * 1024) for _ in range(4_000))
    await serve(trace)
    # Without a length: it ends with the connection. Some of it is in the buffers of the connection.
    assert 0 < collector.sent < 50_000_000
    assert len(collector.named(f"GET {PUBLIC}/thing")) == REQUESTS


async def test_an_answer_is_not_decompressed(trace: Trace, collector: Collector) -> None:
    bomb = gzip.compress(bytes(60_000_000), compresslevel=9)
    collector.answer_headers = {"content-encoding": "gzip", "content-length": str(len(bomb))}
    collector.body = (bomb,)
    tracemalloc.start()
    try:
        await serve(trace)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert collector.bodies


async def test_spans_beyond_the_queue_are_dropped(
    trace: Trace, collector: Collector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting, "MAX_QUEUE", 8)
    monkeypatch.setattr(exporting, "MAX_BATCH", 4)
    collector.open.clear()
    await serve(trace)
    assert len(collector.bodies) <= 2
    assert len(lines_of_the_exporter(capsys)) <= len(exporting.LOGGERS)


async def test_headers_go_to_the_collector(trace: Trace, collector: Collector) -> None:
    await serve(trace, OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20hidden,x-team=web")
    assert collector.headers[0]["authorization"] == "Bearer hidden"
    assert collector.headers[0]["x-team"] == "web"


def test_a_logger_passes_one_line_an_interval() -> None:
    throttle = Throttle(timedelta(minutes=5))
    record = logging.LogRecord("one", logging.WARNING, "", 0, "Queue full", (), None)
    other = logging.LogRecord("two", logging.WARNING, "", 0, "Queue full", (), None)
    assert [throttle.filter(each) for each in (record, record, other)] == [True, False, True]
    assert Throttle(timedelta(0)).filter(record)
