"""The examples of docs/events.md."""

from typing import Any

from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.core.ports.operations import JobAttempt
from tests.core.telemetry import Recorder
from tests.pages import run_examples


async def test_a_published_event_reaches_its_subscriber(database: Database) -> None:
    names: dict[str, Any] = {"__name__": "receipts.page"}
    assert run_examples("events.md", names) == 3

    runtime, recorder = create_runtime([core, names["module"]], database=database), Recorder()
    assert isinstance(runtime.queue, InProcessQueue)
    runtime.queue.eager = False
    with runtime.listen(recorder):
        async with runtime.database.transaction() as session:
            await names["pay"](runtime, session, uuid7())
        await runtime.queue.drain()

    (attempt,) = recorder.of(JobAttempt)
    assert attempt.error is None
