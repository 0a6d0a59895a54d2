"""The operations that the parts of a running process report to telemetry listeners."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import pytest
from fastapi import FastAPI, WebSocket
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Message

from app.core.config.settings import Settings
from app.core.context import TraceIds, current_trace, traceparent
from app.core.db.database import Database, create_database
from app.core.db.engine import DatabaseUnavailableError
from app.core.inbox.service import receive
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, Payload
from app.core.module import module as core
from app.core.ports.cache import cached
from app.core.ports.operations import (
    CacheLookup,
    DatabaseQuery,
    ExternalCall,
    HttpRequest,
    InboxAttempt,
    JobAttempt,
    Operation,
    PoolCheckout,
    RealtimeConnection,
    TransactionWait,
    WebhookReceipt,
)
from app.core.ports.telemetry import TelemetryListener
from app.core.runtime import Runtime
from app.kit.external_calls import reported_call
from tests.core.applications import PUBLIC, Build, client_of, module
from tests.core.telemetry import Recorder
from tests.databases import Databases

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def read(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
    return {"id": id}


async def fail() -> None:
    raise LookupError("me@example.com")


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


class Broken(TelemetryListener):
    """A listener that always fails."""

    def started(self, operation: Operation) -> None:
        raise RuntimeError(operation.kind)

    def finished(self, operation: Operation) -> None:
        raise RuntimeError(operation.kind)


def runtime_of(app: FastAPI) -> Runtime:
    runtime = app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


class TestRequests:
    async def test_are_reported_with_route_and_status(self, build: Build) -> None:
        app, recorder = build(module(("GET", "/things/{id}", read))), Recorder()
        with runtime_of(app).listen(recorder):
            async with client_of(app) as client:
                answer = await client.get(f"{PUBLIC}/things/1?token=secret", headers={"traceparent": TRACEPARENT})
                await client.get(f"{PUBLIC}/nowhere")

        found, missing = recorder.of(HttpRequest)
        assert (found.method, found.route, found.status) == ("GET", f"{PUBLIC}/things/{{id}}", 200)
        assert (found.request_id, found.traceparent) == (answer.headers["x-request-id"], TRACEPARENT)
        assert (missing.route, missing.status, missing.traceparent) == (None, 404, None)
        assert "secret" not in repr(recorder.operations)

    async def test_are_reported_with_unhandled_errors(self, build: Build) -> None:
        app, recorder = build(module(("GET", "/fail", fail))), Recorder()
        with runtime_of(app).listen(recorder):
            async with client_of(app) as client:
                assert (await client.get(f"{PUBLIC}/fail")).status_code == 500

        (request,) = recorder.of(HttpRequest)
        assert (request.status, type(request.error)) == (500, LookupError)

    async def test_succeed_though_a_listener_raises(self, build: Build) -> None:
        app = build(module(("GET", "/things/{id}", read)))
        with runtime_of(app).listen(Broken()):
            async with client_of(app) as client:
                assert (await client.get(f"{PUBLIC}/things/1")).status_code == 200

    async def test_a_websocket_is_a_connection(self, build: Build) -> None:
        app, recorder = build(), Recorder()
        app.router.add_websocket_route("/greet", greet)
        sent: list[Message] = []

        async def receive_connect() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/greet", "headers": [], "query_string": b"", "subprotocols": []}
        with runtime_of(app).listen(recorder):
            await app(scope, receive_connect, send)

        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
        (connection,) = recorder.of(RealtimeConnection)
        assert connection.accepted


class TestQueries:
    async def test_are_reported_without_their_values(self, live_runtime: Runtime) -> None:
        recorder = Recorder()
        with live_runtime.listen(recorder):
            await live_runtime.database.fetch(text("SELECT 1 WHERE 'x' = :value"), {"value": "secret"})
            with pytest.raises(DBAPIError):
                await live_runtime.database.fetch(text("SELECT 1 FROM nowhere"), {})
        await live_runtime.database.fetch(text("SELECT 2"), {})

        good, bad = (query for query in recorder.of(DatabaseQuery) if query.statement.startswith("SELECT 1"))
        assert good.error is None
        assert bad.error is not None
        assert "secret" not in repr(recorder.operations)
        assert not [query for query in recorder.of(DatabaseQuery) if "SELECT 2" in query.statement]

    async def test_hold_a_connection_of_the_pool(self, live_runtime: Runtime) -> None:
        recorder = Recorder()
        with live_runtime.listen(recorder):
            async with live_runtime.database.reading() as session:
                await session.execute(text("SELECT 1"))
                assert [operation.kind for operation in recorder.open] == ["pool"]
        assert [checkout.in_use for checkout in recorder.of(PoolCheckout)] == [1]

    async def test_wait_for_the_connection(self, live_runtime: Runtime) -> None:
        recorder, telemetry = Recorder(), live_runtime.telemetry
        with live_runtime.listen(recorder):
            await live_runtime.database.fetch(text("SELECT 1"), {})
        await live_runtime.database.fetch(text("SELECT 1"), {})
        (checkout,) = recorder.of(PoolCheckout)
        assert checkout.error is None
        assert 0 < checkout.waited < 10
        assert not telemetry.listeners

    async def test_fail_without_a_server(self) -> None:
        recorder = Recorder()
        database = create_database(Settings().with_database("postgresql+asyncpg://app:app@127.0.0.1:1/app"))
        with create_runtime([core], database=database).listen(recorder), pytest.raises(DatabaseUnavailableError):
            await database.fetch(text("SELECT 1"), {})
        await database.dispose()
        (checkout,) = recorder.of(PoolCheckout)
        assert isinstance(checkout.error, DatabaseUnavailableError)
        assert checkout.waited > 0

    async def test_wait_for_the_turn_of_a_transaction(self, databases: Databases) -> None:
        recorder = Recorder()
        # With two connections, one transaction at a time may write.
        made = create_database(Settings().with_database(databases.shared))
        database = Database(made.engine, connections=2, connect_timeout=0.01)
        runtime = create_runtime([core], database=database)
        with runtime.listen(recorder):
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))
                with pytest.raises(DatabaseUnavailableError):
                    async with database.transaction():
                        pytest.fail("The other transaction has the only turn.")
        await made.dispose()
        assert [type(wait.error) for wait in recorder.of(TransactionWait) if wait.error is not None] == [TimeoutError]


@cached("reports.count", ttl=timedelta(minutes=1))
async def count_reports(_runtime: Runtime, owner: str) -> int:
    if owner == "nobody":
        raise LookupError
    return len(owner)


class TestCache:
    async def test_lookups_are_hits_and_misses(self, runtime: Runtime) -> None:
        recorder = Recorder()
        with runtime.listen(recorder):
            assert [await count_reports(runtime, "me") for _ in range(2)] == [2, 2]
            with pytest.raises(LookupError):
                await count_reports(runtime, "nobody")

        lookups = recorder.of(CacheLookup)
        assert [(lookup.name, lookup.hit) for lookup in lookups] == [
            ("reports.count", False),
            ("reports.count", True),
            ("reports.count", False),
        ]
        assert isinstance(lookups[2].error, LookupError)


async def fail_always(_runtime: Runtime) -> None:
    """Fail every attempt."""
    raise LookupError


TRACE = TraceIds(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", sampled=True)


@contextmanager
def traced() -> Iterator[None]:
    """Run the block as a part of a trace."""
    token = current_trace.set(TRACE)
    try:
        yield
    finally:
        current_trace.reset(token)


async def apply(_runtime: Runtime, _session: AsyncSession, payload: Payload) -> None:
    """Fail if the event says so."""
    if payload["fails"]:
        raise LookupError


class TestJobs:
    async def test_are_reported_by_attempt(self, database: Database) -> None:
        runtime = create_runtime([core, Module(name="small", jobs=(fail_always,))], database=database)
        assert isinstance(runtime.queue, InProcessQueue)
        runtime.queue.eager, recorder = False, Recorder()
        with runtime.listen(recorder):
            with traced():
                async with runtime.database.transaction() as session:
                    job_id = await runtime.queue.enqueue(session, fail_always)
            await runtime.queue.drain(raises=False)

        attempts = recorder.of(JobAttempt)
        assert {(attempt.job_id, attempt.name, type(attempt.error)) for attempt in attempts} == {
            (job_id, "tests.fail_always", LookupError)
        }
        assert [(attempt.attempt, attempt.is_last) for attempt in attempts][-1] == (len(attempts), True)
        assert {attempt.traceparent for attempt in attempts} == {TRACEPARENT}


class TestInbox:
    async def test_is_reported_by_attempt(self, database: Database) -> None:
        runtime = create_runtime([core, Module(name="small", inbox_handlers=(apply,))], database=database)
        assert isinstance(runtime.queue, InProcessQueue)
        runtime.queue.eager, recorder = False, Recorder()
        with runtime.listen(recorder):
            with traced():
                for fails in (False, True):
                    event = {"fails": fails}
                    await receive(runtime, provider="shop", event_id=str(fails), payload=event, handler=apply)
            await runtime.queue.drain()

        attempts = recorder.of(InboxAttempt)
        assert [(each.provider, each.handler, each.attempt) for each in attempts] == [("shop", "tests.apply", 1)] * 2
        assert [type(each.error) for each in attempts] == [type(None), LookupError]
        assert {each.traceparent for each in attempts} == {TRACEPARENT}

    async def test_receipts_are_new_or_duplicates(self, database: Database) -> None:
        runtime = create_runtime([core, Module(name="small", inbox_handlers=(apply,))], database=database)
        assert isinstance(runtime.queue, InProcessQueue)
        runtime.queue.eager, recorder = False, Recorder()
        with runtime.listen(recorder):
            for _ in range(2):
                await receive(runtime, provider="shop", event_id="1", payload={"fails": False}, handler=apply)
        receipts = recorder.of(WebhookReceipt)
        assert [(receipt.provider, receipt.is_new) for receipt in receipts] == [("shop", True), ("shop", False)]


class TestTraceparent:
    def test_is_the_header_of_the_current_trace(self) -> None:
        assert traceparent() is None
        with traced():
            assert traceparent() == TRACEPARENT


class TestExternalCalls:
    async def test_are_reported(self, runtime: Runtime) -> None:
        recorder = Recorder()
        with runtime.listen(recorder):
            with reported_call("shop"):
                pass
            with pytest.raises(ConnectionError), reported_call("shop"):
                raise ConnectionError
        with reported_call("shop"):
            pass

        calls = recorder.of(ExternalCall)
        assert [(call.system, type(call.error)) for call in calls] == [
            ("shop", type(None)),
            ("shop", ConnectionError),
        ]


async def test_a_module_listens_from_its_lifespan(database: Database) -> None:
    recorder = Recorder()

    @asynccontextmanager
    async def lifespan(runtime: Runtime) -> AsyncIterator[None]:
        with runtime.listen(recorder):
            yield

    made = create_runtime([core, Module(name="metrics", lifespan=lifespan)], database=database)
    async with running(made, background=False) as runtime:
        assert runtime.telemetry.listeners == (recorder,)
    assert not made.telemetry.listeners
