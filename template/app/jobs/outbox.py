"""The transactional outbox: a queue whose jobs are rows, written in the transaction that enqueues them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.context import current_request_id, traceparent
from app.core.db.database import after_commit, insert_if_absent
from app.core.db.models import utc_now
from app.core.jobs.names import by_job_name, listed_name
from app.core.jobs.options import options_of
from app.core.manifest import Cron
from app.core.ports.queue import JobFailedError, JobFunction, Json, Queue, raise_failures, to_json
from app.jobs.broker import Broker, InProcessBroker, WorkerOptions
from app.jobs.crons import CronScheduler, Schedule
from app.jobs.ledger import Ledger
from app.jobs.models import MAX_KEY, NEVER_BEGUN, Job, JobState
from app.jobs.relay import Relay
from app.jobs.runner import Runner
from app.jobs.sweeper import Sweeper
from app.jobs.timing import QueueTiming

if TYPE_CHECKING:
    from app.core.runtime import Runtime

ATTEMPTS: Final = 10
"""The maximum number of attempts of a job without options of its own. With the delays, about a quarter of an hour."""


class Outbox(Queue):
    """A queue that stores jobs in the table and hands them over to workers through a broker.

    Args:
        functions: every job that may be enqueued.
        crons: every scheduled job.
        broker: by default, hands jobs over within this process.
        worker: the options with which this process runs jobs; `None` if it doesn't.

    Raises:
        LookupError: no module lists a scheduled job in its `jobs`.
        ValueError: a schedule is invalid.
    """

    def __init__(
        self,
        runtime: "Runtime",
        functions: Sequence[JobFunction],
        crons: Sequence[Cron] = (),
        *,
        broker: Broker | None = None,
        worker: WorkerOptions | None = None,
        timing: QueueTiming | None = None,
    ) -> None:
        self._runtime = runtime
        self._functions = by_job_name(functions)
        for cron in crons:
            listed_name(self._functions, cron.function)
            Schedule(cron)
        self._crons = crons
        self._broker = broker or InProcessBroker()
        self._worker = worker
        self._relay: Relay | None = None
        self.timing = timing or QueueTiming()
        self.ledger = Ledger(runtime.database, self.timing.lease)
        self.runner = Runner(runtime, self._functions, self.ledger, self.timing)

    async def enqueue(
        self,
        session: AsyncSession,
        function: JobFunction,
        *args: Json,
        defer_by: timedelta | None = None,
        job_id: str | None = None,
    ) -> str:
        """See `Queue.enqueue`. Without a `job_id`, the id is the row's key.

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
            # Written with the transaction's other rows, in one statement.
            session.add(row)
            return str(row.id)
        await insert_if_absent(session, Job, row.model_dump(), unique=("key",), where=NEVER_BEGUN)
        return job_id

    async def drain(self, *, raises: bool = True) -> None:
        """See `Queue.drain`."""
        failures: list[JobFailedError] = []
        while (id_ := await self.ledger.first_waiting()) is not None:
            for claim in await self.ledger.claim([id_], early=True):
                error = await asyncio.create_task(self.runner.run_claimed(claim), context=Context())
                if error is not None:
                    failures.append(JobFailedError(claim.name, str(claim.id), error))
        if raises:
            raise_failures(failures)

    @asynccontextmanager
    async def running(self, *, background: bool) -> AsyncIterator[None]:
        """See `Queue.running`."""
        if not background:
            yield
            return
        async with AsyncExitStack() as stack:
            # Closed last: jobs that finish during the drain may enqueue others.
            self._relay = Relay(self._broker)
            stack.push_async_callback(self._relay.close)
            if self._worker is not None:
                await stack.enter_async_context(self.runner.heartbeats())
                await stack.enter_async_context(self._broker.consume(self.runner, self._worker))
                await stack.enter_async_context(self.sweeper(self._worker.heartbeat).sweeping())
            yield

    def sweeper(self, heartbeat: Callable[[], object] = lambda: None) -> Sweeper:
        """Return a sweeper of this queue."""
        crons = CronScheduler(self._runtime, self._crons, attempts=ATTEMPTS)
        return Sweeper(self.ledger, self._broker, crons, self.timing, heartbeat)

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
            traceparent=traceparent(),
        )

    def _due(self, now: datetime, run_at: datetime) -> datetime:
        """Return when the sweeper must act. A job that runs now is handed over by this process before that."""
        return run_at if run_at > now else now + self.timing.handover_delay

    def _committed(self, id_: UUID) -> None:
        if self._relay is not None:
            self._relay.add(id_)


def _nothing() -> None:
    """Do nothing: `after_commit` refuses a read-only session, whatever the action."""
