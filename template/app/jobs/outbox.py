"""The queue whose jobs are rows: written in the transaction that queues them, and gone with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.context import current_request_id
from app.core.db.database import after_commit, insert_if_absent
from app.core.db.models import utc_now
from app.core.jobs.names import by_job_name, listed_name
from app.core.jobs.options import options_of
from app.core.manifest import Cron
from app.core.ports.queue import JobFunction, Json, Queue, to_json
from app.jobs.crons import Clock
from app.jobs.ledger import Ledger
from app.jobs.models import MAX_KEY, NEVER_BEGUN, Job, JobState
from app.jobs.relay import Relay
from app.jobs.runner import Runner
from app.jobs.server import NoServer, Server, Working
from app.jobs.sweeper import Sweeper
from app.jobs.times import Times

if TYPE_CHECKING:
    from app.core.runtime import Runtime

ATTEMPTS: Final = 10
"""How often a job is tried that does not say itself: with the pauses between, for about a quarter of an hour."""


class Outbox(Queue):
    """Keeps jobs in the table and has them run by workers, or by this process where there are none.

    Args:
        functions: every job that may be queued.
        crons: every job by the clock.
        server: what tells workers of jobs.
        working: how this process works itself, if it does.

    Raises:
        LookupError: a job by the clock is in no module's `jobs`.
    """

    def __init__(
        self,
        runtime: "Runtime",
        functions: Sequence[JobFunction],
        crons: Sequence[Cron] = (),
        *,
        server: Server | None = None,
        working: Working | None = None,
        times: Times | None = None,
    ) -> None:
        self._runtime = runtime
        self._functions = by_job_name(functions)
        for cron in crons:
            listed_name(self._functions, cron.function)
        self._crons = crons
        self._server = server or NoServer()
        self._working = working
        self._relay: Relay | None = None
        self.times = times or Times()
        self.ledger = Ledger(runtime.database, self.times.lease)
        self.runner = Runner(runtime, self._functions, self.ledger, self.times)

    async def enqueue(
        self,
        session: AsyncSession,
        function: JobFunction,
        *args: Json,
        defer_by: timedelta | None = None,
        job_id: str | None = None,
    ) -> str:
        """See `Queue.enqueue`. The id of a job without a `job_id` is its row's.

        Raises:
            ValueError: the `job_id` is too long.
        """
        name = listed_name(self._functions, function)
        row = self._row(name, function, args, defer_by, job_id)
        if not defer_by or defer_by <= timedelta():
            after_commit(session, lambda: self._committed(row.id))
        else:
            after_commit(session, _nothing)
        if job_id is None:
            # Written with all others of the transaction, in one statement.
            session.add(row)
            return str(row.id)
        await insert_if_absent(session, Job, row.model_dump(), unique=("key",), where=NEVER_BEGUN)
        return job_id

    async def drain(self) -> None:
        """See `Queue.drain`."""
        while (id_ := await self.ledger.first_waiting()) is not None:
            for claim in await self.ledger.claim([id_], early=True):
                await asyncio.create_task(self.runner.work(claim), context=Context())

    @asynccontextmanager
    async def running(self, *, background: bool) -> AsyncIterator[None]:
        """See `Queue.running`."""
        if not background:
            yield
            return
        async with AsyncExitStack() as stack:
            # Closed last: jobs that may finish may queue others.
            self._relay = Relay(self._server)
            stack.push_async_callback(self._relay.close)
            if self._working is not None:
                await stack.enter_async_context(self.runner.beating())
                await stack.enter_async_context(self._server.working(self.runner, self._working))
                await stack.enter_async_context(self.sweeper(self._working.alive).sweeping())
            yield

    def sweeper(self, told: Callable[[], object] = lambda: None) -> Sweeper:
        """Looks after what has not got through, and after the clock."""
        clock = Clock(self._runtime, self._crons, attempts=ATTEMPTS)
        return Sweeper(self.ledger, self._server, clock, self.times, told)

    def _row(
        self, name: str, function: JobFunction, args: Sequence[Json], defer_by: timedelta | None, key: str | None
    ) -> Job:
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise ValueError(f"A job's id has 1 to {MAX_KEY} characters.")
        to_json(name, args)
        now = utc_now()
        run_at = now + max(defer_by or timedelta(), timedelta())
        return Job(
            id=uuid7(),
            created_at=now,
            updated_at=now,
            name=name,
            args=list(args),
            key=key,
            state=JobState.WAITING,
            max_attempts=options_of(function).attempts or ATTEMPTS,
            run_at=run_at,
            due_at=self._due(now, run_at),
            request_id=current_request_id(),
        )

    def _due(self, now: datetime, run_at: datetime) -> datetime:
        """When the sweep has to see to it; one that is to run now is handed over by this process."""
        return run_at if run_at > now else now + self.times.grace

    def _committed(self, id_: UUID) -> None:
        if self._relay is not None:
            self._relay.add(id_)


def _nothing() -> None:
    """Only asks whether the session commits at all."""
