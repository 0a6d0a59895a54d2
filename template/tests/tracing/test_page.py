"""The examples of docs/tracing.md."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.core.context import TraceIds, current_trace
from tests.pages import run_examples
from tests.tracing.collector import Collector
from tests.tracing.conftest import Trace

ROOT: Final = Path(__file__).parents[2]
TRACE = TraceIds(trace_id=f"{1:032x}", span_id=f"{2:016x}", sampled=True)
HEADER = f"00-{1:032x}-{2:016x}-01"


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """Return the names of the page."""
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("tracing.md", names) == 2
    return names


@pytest.fixture
def traced() -> Iterator[None]:
    """Make the test a part of a trace."""
    token = current_trace.set(TRACE)
    yield
    current_trace.reset(token)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://billing.internal/invoices", HEADER),
        ("https://billing.internal:443/", HEADER),
        ("http://billing.internal/", None),
        ("https://billing.internal:8443/", None),
        ("https://billing.internal.example.com/", None),
        ("https://me@api.example.com/?https://billing.internal", None),
    ],
)
async def test_only_the_services_of_your_own_get_the_header(
    examples: dict[str, Any], url: str, header: str | None
) -> None:
    request = httpx.Request("GET", url, headers={"traceparent": "of-another-trace"})
    for hook in examples["billing"].event_hooks["request"]:
        await hook(request)
    assert request.headers.get("traceparent") == header


async def test_no_header_without_a_trace(examples: dict[str, Any]) -> None:
    request = httpx.Request("GET", "https://billing.internal/")
    await examples["billing"].event_hooks["request"][0](request)
    assert "traceparent" not in request.headers


async def test_an_operation_of_your_own(trace: Trace, collector: Collector, examples: dict[str, Any]) -> None:
    async with trace(examples["module"]) as (client, _):
        assert (await client.get("/api/v1/public/rates")).json() == {"EUR": 1.0}
    assert collector.one("call exchange_rates").parent_id == collector.one("GET /api/v1/public/rates").span_id


async def test_the_receiver_of_the_page_prints_spans(trace: Trace, examples: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "tests.tracing.collector", "0"]
    receiver = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert receiver.stdout is not None
        name, _, url = (await receiver.stdout.readline()).decode().strip().partition("=")
        async with trace(examples["module"], **{name: url}) as (client, _):
            await client.get("/api/v1/public/rates")
        assert b"call exchange_rates" in await receiver.stdout.readline()
    finally:
        receiver.kill()
        await receiver.wait()
