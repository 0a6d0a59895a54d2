"""A runtime whose queue runs in this process."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.jobs.in_process.sample_jobs import JOBS, SOON, Work, queue_of


@pytest.fixture
def runtime(database: Database) -> Runtime:
    """A runtime with the jobs above."""
    made = create_runtime([core, Module(name="small", jobs=JOBS)], database=database)
    made.provide(Work, Work())
    queue_of(made).eager = False
    return made


@pytest.fixture
def work(runtime: Runtime) -> Work:
    """The record of the jobs' work."""
    return runtime.resource(Work)


@pytest.fixture
async def eager(runtime: Runtime) -> AsyncIterator[InProcessQueue]:
    """The queue as it works outside of tests."""
    queue = queue_of(runtime)
    queue.eager = True
    yield queue
    runtime.resource(Work).gate.set()
    await queue.close(SOON)


@pytest.fixture
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    """The log entries."""
    with capture_logs() as captured:
        yield captured
