"""Handlers that call other systems: without a transaction, at least once."""

import pytest

from app.core.db.database import Database
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.inbox.service import process_inbox_event, receive
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.manifest import InboxJob, Module, Payload
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.inbox.shop import handle, only_event


class Calls:
    """The calls that the handler made."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.error: Exception | None = None


async def refresh(runtime: Runtime, payload: Payload) -> None:
    """Record the call."""
    calls = runtime.resource(Calls)
    calls.names.append(str(payload["name"]))
    if calls.error is not None:
        raise calls.error


def runtime_with(job: InboxJob, database: Database) -> Runtime:
    """A runtime with a handler, whose jobs wait."""
    made = create_runtime([core, Module(name="shop", inbox_jobs=(job,))], database=database)
    assert isinstance(made.queue, InProcessQueue)
    made.queue.eager = False
    return made


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with the handler."""
    made = runtime_with(refresh, database)
    made.provide(Calls, Calls())
    return made


async def stored(runtime: Runtime) -> InboxEvent:
    """Receive an event, and return it."""
    await receive(runtime, provider="shop", event_id="1", payload={"name": "cup"}, handler=refresh)
    return await only_event(runtime)


async def test_an_event_is_done_after_its_handler_returned(runtime: Runtime) -> None:
    event = await stored(runtime)
    await process_inbox_event(runtime, str(event.id))
    await process_inbox_event(runtime, str(event.id))

    assert (await only_event(runtime)).status == InboxStatus.DONE
    assert runtime.resource(Calls).names == ["cup"]


async def test_a_failure_is_retried(runtime: Runtime) -> None:
    calls = runtime.resource(Calls)
    calls.error = ConnectionError("no answer")
    event = await stored(runtime)
    await process_inbox_event(runtime, str(event.id))
    failed = await only_event(runtime)
    calls.error = None
    await handle(runtime)

    assert (failed.status, failed.error) == (InboxStatus.PENDING, "ConnectionError: no answer")
    assert (await only_event(runtime)).status == InboxStatus.DONE
    assert calls.names == ["cup", "cup"]


async def test_an_event_is_marked_after_its_handler_has_returned(database: Database) -> None:
    seen: list[str] = []

    async def look(runtime: Runtime, _payload: Payload) -> None:
        seen.append((await only_event(runtime)).status)

    runtime = runtime_with(look, database)
    await receive(runtime, provider="shop", event_id="1", payload={"name": "cup"}, handler=look)
    await process_inbox_event(runtime, str((await only_event(runtime)).id))

    assert seen == [InboxStatus.PENDING]
