"""A broker on Redis, with arq.

Only the ids of jobs go through Redis, as JSON and never pickled. arq picks the next job and limits how many run. State,
arguments and retries of jobs are in the table, so that a Redis that comes back empty has lost nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.jobs import serialize_job
from arq.utils import poll, timestamp_ms
from arq.worker import RetryJob, Worker, func
from redis.asyncio import ConnectionPool

from app.jobs.broker import WorkerOptions, drain
from app.jobs.runner import Runner
from app.kit.backoff import backoff

logger = structlog.stdlib.get_logger(__name__)

RUN: Final = "run"
MAX_QUEUED: Final = 10_000
"""The maximum number of jobs in Redis. The sweeper hands over more only when there is room."""
JOB_TTL_MS: Final = 24 * 60 * 60 * 1000
POLL_INTERVAL: Final = 0.1
GATHER_DELAY: Final = 0.002
NO_TIMEOUT: Final = timedelta(days=365)
"""Each job has a timeout of its own. arq's must not be shorter."""
FIRST_RETRY_DELAY, MAX_RETRY_DELAY = timedelta(seconds=0.5), timedelta(seconds=5)


class ArqBroker:
    """A broker that hands jobs over to workers through Redis.

    Args:
        pool: connections to Redis.
        queue: the name of the sorted set of waiting jobs. Applications that share a Redis need different names.
        lease: how long a worker may take to claim a job in the table after it has taken it from Redis.
    """

    def __init__(self, pool: ConnectionPool, *, queue: str, lease: timedelta) -> None:
        self._redis = ArqRedis(pool, job_serializer=to_json, job_deserializer=json.loads, default_queue_name=queue)
        self._queue = queue
        self._lease = lease

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Broker.send`. A job that is already queued keeps its place."""
        now = timestamp_ms()
        job = serialize_job(RUN, (), {}, None, now, serializer=to_json)
        async with self._redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.psetex(job_key_prefix + id_.hex, JOB_TTL_MS, job)
                pipe.zadd(self._queue, {id_.hex: now}, nx=True)
            await pipe.execute()

    async def capacity(self) -> int:
        """See `Broker.capacity`."""
        return MAX_QUEUED - int(await self._redis.zcard(self._queue))

    @asynccontextmanager
    async def consume(self, runner: Runner, worker: WorkerOptions) -> AsyncIterator[None]:
        """See `Broker.consume`."""
        consumer = _Consumer(self._redis, self._queue, self._lease, runner, worker)
        task = asyncio.create_task(consumer.consume(), context=Context())
        try:
            yield
        finally:
            await consumer.close()
            task.cancel()
            await asyncio.wait({task})


class _Worker(Worker):
    """arq's worker, except that it takes as many jobs at once as there are free slots, and none once it stops.

    arq sends four commands per job, one after the other. Jobs that are taken together here are also claimed in the
    table together, which matters more.
    """

    taking: asyncio.Lock
    """Held while jobs are taken that are not among the tasks yet."""

    async def main(self) -> None:
        """See arq. Without its first command, INFO, which some hosted Redis servers reject."""
        async for _ in poll(self.poll_delay_s):
            await self._poll_iteration()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """See arq. Returns when all jobs have been started, here or elsewhere, or when the worker stops."""
        # A job that outlives its mark in Redis is listed again while it is still among the tasks.
        job_ids = [id_ for id_ in job_ids if not self._runs(id_.decode())]
        while job_ids:
            await self.sem.acquire()
            if not self.allow_pick_jobs:
                self.sem.release()
                return
            # Jobs that finish together free their slots one after the other: wait for all of them.
            await asyncio.sleep(GATHER_DELAY)
            count = 1
            while count < len(job_ids) and not self.sem.locked():
                await self.sem.acquire()
                count += 1
            some, job_ids = [id_.decode() for id_ in job_ids[:count]], job_ids[count:]
            async with self.taking:
                taken: list[str] = []
                try:
                    taken = await self._take(some) if self.allow_pick_jobs else []
                finally:
                    for _ in range(count - len(taken)):
                        self.sem.release()
                for id_ in taken:
                    self.job_counter += 1
                    self.tasks[id_] = task = self.loop.create_task(self.run_job(id_, timestamp_ms()))
                    task.add_done_callback(lambda _: self._release_sem_dec_counter_on_complete())

    def _runs(self, id_: str) -> bool:
        return id_ in self.tasks and not self.tasks[id_].done()

    async def _take(self, ids: list[str]) -> list[str]:
        """Mark the jobs as taken, and return those that no other worker took before."""
        milliseconds = int(self.in_progress_timeout_s * 1000)
        async with self.pool.pipeline(transaction=True) as pipe:
            for id_ in ids:
                pipe.zscore(self.queue_name, id_)
                pipe.set(in_progress_key_prefix + id_, b"1", px=milliseconds, nx=True)
            answers = await pipe.execute()
        queued, new = answers[::2], answers[1::2]
        # Another worker may have finished the job since this one read the list.
        gone = [id_ for id_, score, mine in zip(ids, queued, new, strict=True) if mine and score is None]
        if gone:
            await self.pool.delete(*(in_progress_key_prefix + id_ for id_ in gone))
        return [id_ for id_, score, mine in zip(ids, queued, new, strict=True) if mine and score is not None]


class _Consumer:
    """A consumer: runs an arq worker, and starts a new one whenever it ends because Redis is unavailable."""

    def __init__(self, redis: ArqRedis, queue: str, lease: timedelta, runner: Runner, worker: WorkerOptions) -> None:
        self._redis = redis
        self._queue = queue
        self._lease = lease
        self._runner = runner
        self._options = worker
        self._slots = asyncio.Semaphore(worker.concurrency)
        self._closing = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()
        self._worker = self._new()

    async def consume(self) -> None:
        failures = 0
        while not self._closing.is_set():
            self._worker = self._new()
            began = asyncio.get_running_loop().time()
            try:
                await self._worker.async_run()
            except Exception as error:  # noqa: BLE001 - Redis is unavailable, and running jobs go on
                if asyncio.get_running_loop().time() - began > MAX_RETRY_DELAY.total_seconds():
                    failures = 0
                failures += 1
                if failures == 1:
                    logger.warning("worker_without_redis", error=type(error).__name__)
                self._keep(self._worker)
                delay = backoff(failures, first=FIRST_RETRY_DELAY, longest=MAX_RETRY_DELAY)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), delay.total_seconds())

    async def close(self) -> None:
        """Take no more jobs, and drain."""
        self._closing.set()
        self._worker.allow_pick_jobs = False
        # A job that was just taken gives itself back as soon as it is among the tasks.
        async with self._worker.taking:
            self._keep(self._worker)
        await drain(self._running, self._options.drain_timeout)

    async def _run(self, ctx: dict[str, Any]) -> None:
        async with self._slots:
            if self._closing.is_set():
                # It stays in Redis, for another worker.
                raise RetryJob
            await self._runner.run(UUID(hex=ctx["job_id"]))

    def _new(self) -> _Worker:
        concurrency = self._options.concurrency
        worker = _Worker(
            [func(self._run, name=RUN)],
            queue_name=self._queue,
            redis_pool=self._redis,
            handle_signals=False,
            max_jobs=concurrency,
            queue_read_limit=max(100, 10 * concurrency),
            poll_delay=POLL_INTERVAL,
            job_timeout=NO_TIMEOUT,
            keep_result=0,
            max_tries=2**31,
            job_serializer=to_json,
            job_deserializer=json.loads,
            log_results=False,
        )
        # arq's semaphore has one slot more, for which it would never wait.
        worker.sem = asyncio.BoundedSemaphore(concurrency)
        worker.taking = asyncio.Lock()
        # Only until the job is claimed in the table, which has leases of its own.
        worker.in_progress_timeout_s = self._lease.total_seconds()
        return worker

    def _keep(self, worker: _Worker) -> None:
        for task in worker.tasks.values():
            if not task.done():
                self._running.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # arq could not remove the job from Redis. The table knows that it is done.
            logger.debug("job_not_removed_from_redis", error=type(task.exception()).__name__)


def to_json(value: object) -> bytes:
    """Serialize for arq."""
    return json.dumps(value, separators=(",", ":")).encode()
