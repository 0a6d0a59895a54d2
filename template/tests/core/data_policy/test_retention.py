"""Rows go when their time has come."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import ColumnElement, select, update
from sqlmodel import col

from app.core.data_policy import retention as cleanup
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.inbox.data_policy import KEEP_DONE, KEEP_FAILED
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, RetentionRule
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.inbox.shop import OWNER, events, make_tables, sell, tell
from tests.core.things import Plain, Thing

DAY = timedelta(days=1)
SHOP = Module(
    name="shop",
    inbox_handlers=(sell,),
    retention=(RetentionRule(model=Thing, expired=lambda _runtime, now: col(Thing.deleted_at) < now - DAY),),
)


@pytest.fixture(params=[(SHOP,)], ids=["shop"])
async def runtime(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """A runtime with things."""
    made = create_runtime((core, *request.param), database=database)
    assert isinstance(made.queue, InProcessQueue)
    made.queue.eager = False
    async with running(made, background=False) as started:
        await make_tables(started)
        yield started


async def an_event(runtime: Runtime, event_id: str, **values: object) -> None:
    await tell(runtime, event_id)
    async with runtime.database.transaction() as session:
        await session.execute(update(InboxEvent).where(col(InboxEvent.event_id) == event_id).values(**values))


async def names(runtime: Runtime) -> set[str]:
    async with runtime.database.reading() as session:
        return set(await session.scalars(select(col(Thing.name))))


async def some_things(runtime: Runtime) -> None:
    now = utc_now()
    async with runtime.database.transaction() as session:
        session.add_all(Thing(owner_id=OWNER, name=f"old {n}", deleted_at=now - 2 * DAY) for n in range(5))
        session.add(Thing(owner_id=OWNER, name="fresh", deleted_at=now - DAY / 2))
        session.add(Thing(owner_id=OWNER, name="alive"))


@pytest.mark.parametrize("batch", [1, 2, 5, 1000])
async def test_expired_rows_are_deleted_and_others_kept(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(cleanup, "BATCH", batch)
    await some_things(runtime)

    removed = await cleanup_old_data(runtime)

    assert removed == {"things": 5, "inbox_events": 0}
    assert await names(runtime) == {"fresh", "alive"}
    assert (await cleanup_old_data(runtime))["things"] == 0


@pytest.mark.parametrize(
    ("status", "age", "stays"),
    [
        (InboxStatus.DONE, KEEP_DONE - DAY, True),
        (InboxStatus.DONE, KEEP_DONE + DAY, False),
        (InboxStatus.FAILED, KEEP_FAILED - DAY, True),
        (InboxStatus.FAILED, KEEP_FAILED + DAY, False),
        (InboxStatus.PENDING, 10 * KEEP_FAILED, True),
    ],
)
async def test_events_of_the_inbox_are_kept_for_their_retention_period(
    runtime: Runtime, status: InboxStatus, age: timedelta, *, stays: bool
) -> None:
    then = utc_now() - age
    await an_event(runtime, "1", status=status, received_at=then, processed_at=then)

    await cleanup_old_data(runtime)

    assert bool(await events(runtime)) is stays


def wrong(_runtime: Runtime, _now: object) -> ColumnElement[bool]:
    raise LookupError


ODD = Module(name="odd", retention=(RetentionRule(model=Plain, expired=wrong),))


@pytest.mark.parametrize("runtime", [(SHOP, ODD)], ids=["shop and odd"], indirect=True)
async def test_a_failing_table_does_not_stop_the_others(runtime: Runtime) -> None:
    await some_things(runtime)

    with pytest.raises(ExceptionGroup) as caught:
        await cleanup_old_data(runtime)

    assert [type(error) for error in caught.value.exceptions] == [LookupError]
    assert await names(runtime) == {"fresh", "alive"}
