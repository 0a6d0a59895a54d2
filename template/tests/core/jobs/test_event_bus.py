"""Events reach their subscribers after the commit, each by a job of its own."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.jobs.event_bus import deliver_event
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.manifest import Module, Subscriber
from app.core.module import module as core
from app.core.ports.events import Event
from app.core.runtime import Runtime


class Sold(Event):
    """Somebody has bought something."""

    item: UUID
    price: int


class Returned(Event):
    """Somebody has brought it back."""

    item: UUID


class Heard:
    """The events that each subscriber received."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Event]] = []


async def ship(runtime: Runtime, event: Sold) -> None:
    """Hears of one kind."""
    runtime.resource(Heard).calls.append(("ship", event))


async def count(runtime: Runtime, event: Event) -> None:
    """Hears of two kinds."""
    runtime.resource(Heard).calls.append(("count", event))


async def fail(runtime: Runtime, event: Sold) -> None:
    """Fail the first attempt."""
    calls = runtime.resource(Heard).calls
    calls.append(("fail", event))
    if calls.count(("fail", event)) == 1:
        raise LookupError


MODULES = (
    core,
    Module(name="failing", subscribers=(Subscriber(Sold, fail),)),
    Module(name="shipping", subscribers=(Subscriber(Sold, ship),)),
    Module(name="counting", subscribers=(Subscriber(Sold, count), Subscriber(Returned, count))),
)


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with the modules above."""
    made = create_runtime(MODULES, database=database)
    made.provide(Heard, Heard())
    queue_of(made).eager = False
    return made


def queue_of(runtime: Runtime) -> InProcessQueue:
    """The runtime's queue."""
    assert isinstance(runtime.queue, InProcessQueue)
    return runtime.queue


async def publish(runtime: Runtime, event: Event, *, fail: bool = False) -> None:
    """Publish in a transaction, which may fail at its end."""
    async with runtime.database.transaction() as session:
        await runtime.events.publish(session, event)
        assert runtime.resource(Heard).calls == []
        if fail:
            raise LookupError


class TestPublish:
    async def test_calls_every_subscriber_of_the_event(self, runtime: Runtime) -> None:
        event = Returned(item=uuid7())
        await publish(runtime, event)
        await queue_of(runtime).drain()
        assert runtime.resource(Heard).calls == [("count", event)]

    async def test_a_failing_subscriber_is_retried_and_does_not_stop_the_others(self, runtime: Runtime) -> None:
        event = Sold(item=uuid7(), price=3)
        await publish(runtime, event)
        await queue_of(runtime).drain()
        assert sorted(name for name, _ in runtime.resource(Heard).calls) == ["count", "fail", "fail", "ship"]
        assert all(heard == event for _, heard in runtime.resource(Heard).calls)

    async def test_calls_no_subscriber_on_rollback(self, runtime: Runtime) -> None:
        with pytest.raises(LookupError):
            await publish(runtime, Returned(item=uuid7()), fail=True)
        await queue_of(runtime).drain()
        assert runtime.resource(Heard).calls == []


class TestDeliver:
    async def test_to_a_missing_subscriber_is_an_error_with_its_name(self, runtime: Runtime) -> None:
        with pytest.raises(LookupError, match=r"No module lists the subscriber gone\."):
            await deliver_event(runtime, "gone", {})
