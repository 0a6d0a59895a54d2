"""Spans of jobs and of webhook events: traces of their own that link to the one that caused them."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.inbox.service import receive
from app.core.jobs.in_process import InProcessQueue
from app.core.manifest import Payload
from app.core.runtime import Runtime, get_runtime
from tests.core.applications import PUBLIC, module
from tests.tracing.collector import Collector, Link, ReceivedSpan
from tests.tracing.conftest import Trace

type RuntimeDep = Annotated[Runtime, Depends(get_runtime)]


async def work(_runtime: Runtime, outcome: str) -> None:
    """Fail if the outcome says so."""
    if outcome == "failure":
        raise LookupError(outcome)


async def handle(_runtime: Runtime, _session: AsyncSession, _payload: Payload) -> None:
    """Do nothing."""


async def start(runtime: RuntimeDep, outcome: str) -> None:
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, work, outcome)


async def accept(runtime: RuntimeDep) -> None:
    await receive(runtime, provider="shop", event_id="1", payload={}, handler=handle)


WORK = module(("POST", "/start", start), ("POST", "/accept", accept), jobs=(work,), inbox_handlers=(handle,))
UNSAMPLED = {"traceparent": f"00-{1:032x}-{2:016x}-00"}


def link_to(span: ReceivedSpan) -> tuple[Link, ...]:
    return (Link(trace_id=span.trace_id, span_id=span.span_id),)


def hold_back(runtime: Runtime) -> None:
    assert isinstance(runtime.queue, InProcessQueue)
    runtime.queue.eager = False


async def test_a_job_links_to_the_request_that_enqueued_it(trace: Trace, collector: Collector) -> None:
    async with trace(WORK) as (client, runtime):
        hold_back(runtime)
        await client.post(f"{PUBLIC}/start", params={"outcome": "success"})
        await runtime.queue.drain()

    request, job = collector.one(f"POST {PUBLIC}/start"), collector.one("process tests.work")
    assert (job.kind, job.parent_id, job.links) == ("CONSUMER", "", link_to(request))
    assert job.trace_id != request.trace_id
    assert job.attributes["app.request_id"] == request.attributes["app.request_id"]
    assert job.attributes["messaging.destination.name"] == "tests.work"


async def test_each_attempt_is_a_trace(trace: Trace, collector: Collector) -> None:
    async with trace(WORK) as (client, runtime):
        hold_back(runtime)
        await client.post(f"{PUBLIC}/start", params={"outcome": "failure"})
        await runtime.queue.drain(raises=False)

    attempts = collector.named("process tests.work")
    assert len({attempt.trace_id for attempt in attempts}) == len(attempts) > 1
    assert [attempt.attributes["app.job.attempt"] for attempt in attempts] == list(range(1, len(attempts) + 1))
    assert {attempt.attributes["error.type"] for attempt in attempts} == {"LookupError"}
    assert all(attempt.failed for attempt in attempts)


async def test_a_webhook_handler_links_to_the_request_that_received_the_event(
    trace: Trace, collector: Collector
) -> None:
    async with trace(WORK) as (client, runtime):
        hold_back(runtime)
        await client.post(f"{PUBLIC}/accept")
        await runtime.queue.drain()

    request, attempt = collector.one(f"POST {PUBLIC}/accept"), collector.one("process webhook shop")
    (job,) = [span for span in collector.spans if span.span_id == attempt.parent_id]
    assert attempt.links == job.links == link_to(request)
    assert attempt.attributes["app.inbox.handler"] == "tests.handle"
    assert job.name == "process core.process_inbox_event"


async def test_a_job_of_an_unrecorded_request_is_not_recorded(trace: Trace, collector: Collector) -> None:
    async with trace(WORK) as (client, runtime):
        hold_back(runtime)
        await client.post(f"{PUBLIC}/start", params={"outcome": "success"}, headers=UNSAMPLED)
        await runtime.queue.drain()

    assert collector.spans == []
