"""arq behind the queue: workers hear of jobs through Redis.

What goes through Redis is a job's id, as JSON and never pickled. arq finds the next one and keeps an eye on how many
run. Whether a job is still to be run, its arguments, and what happens when it fails are the table's affair, so that a
Redis that comes back empty has lost nothing.
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

from app.jobs.runner import Runner
from app.jobs.server import Working, finish
from app.kit.backoff import backoff

logger = structlog.stdlib.get_logger(__name__)

RUN: Final = "run"
MOST: Final = 10_000
"""How many jobs may lie in Redis before the sweep waits with more."""
KEPT_MS: Final = 24 * 60 * 60 * 1000
POLL: Final = 0.1
GATHER: Final = 0.002
ENDLESS: Final = timedelta(days=365)
"""Each job has a timeout of its own; arq's is not to be the shorter one."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(seconds=5)


class ArqServer:
    """Tells workers of jobs through Redis.

    Args:
        pool: connections to it.
        queue: the name of the sorted set in which jobs wait; one for each application that shares the Redis.
        lease: how long a job is one worker's before it has taken it from the table.
    """

    def __init__(self, pool: ConnectionPool, *, queue: str, lease: timedelta) -> None:
        self._redis = ArqRedis(pool, job_serializer=to_json, job_deserializer=json.loads, default_queue_name=queue)
        self._queue = queue
        self._lease = lease

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Server.send`. One that lies there already keeps its place."""
        now = timestamp_ms()
        job = serialize_job(RUN, (), {}, None, now, serializer=to_json)
        async with self._redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.psetex(job_key_prefix + id_.hex, KEPT_MS, job)
                pipe.zadd(self._queue, {id_.hex: now}, nx=True)
            await pipe.execute()

    async def room(self) -> int:
        """See `Server.room`."""
        return MOST - int(await self._redis.zcard(self._queue))

    @asynccontextmanager
    async def working(self, runner: Runner, working: Working) -> AsyncIterator[None]:
        """See `Server.working`."""
        consumer = _Consumer(self._redis, self._queue, self._lease, runner, working)
        task = asyncio.create_task(consumer.consume(), context=Context())
        try:
            yield
        finally:
            await consumer.close()
            task.cancel()
            await asyncio.wait({task})


class _Worker(Worker):
    """arq's worker, which takes as many jobs at a time as it has room for, and none when it is told to stop.

    arq asks Redis four things for each job, one after the other. Those that are taken together here are taken from the
    table together as well, which matters more.
    """

    taking: asyncio.Lock
    """Held while jobs are taken that are not yet among the tasks."""

    async def main(self) -> None:
        """See arq. Without its first question, INFO, which not every Redis answers."""
        async for _ in poll(self.poll_delay_s):
            await self._poll_iteration()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """See arq. Returns when all of them have been started, here or elsewhere, or it is told to stop."""
        # One that takes longer than Redis marks it as taken is still there, and to be waited for at the end.
        job_ids = [id_ for id_ in job_ids if not self._runs(id_.decode())]
        while job_ids:
            await self.sem.acquire()
            if not self.allow_pick_jobs:
                self.sem.release()
                return
            # What has ended together makes room one after the other.
            await asyncio.sleep(GATHER)
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
        """Those of the jobs that no other worker has; no other will have them now."""
        milliseconds = int(self.in_progress_timeout_s * 1000)
        async with self.pool.pipeline(transaction=True) as pipe:
            for id_ in ids:
                pipe.zscore(self.queue_name, id_)
                pipe.set(in_progress_key_prefix + id_, b"1", px=milliseconds, nx=True)
            answers = await pipe.execute()
        queued, new = answers[::2], answers[1::2]
        # Somebody may have finished it since this worker has read the list.
        gone = [id_ for id_, score, mine in zip(ids, queued, new, strict=True) if mine and score is None]
        if gone:
            await self.pool.delete(*(in_progress_key_prefix + id_ for id_ in gone))
        return [id_ for id_, score, mine in zip(ids, queued, new, strict=True) if mine and score is not None]


class _Consumer:
    """Keeps one of arq's workers going, which ends whenever Redis does not answer."""

    def __init__(self, redis: ArqRedis, queue: str, lease: timedelta, runner: Runner, working: Working) -> None:
        self._redis = redis
        self._queue = queue
        self._lease = lease
        self._runner = runner
        self._working = working
        self._slots = asyncio.Semaphore(working.concurrency)
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
            except Exception as error:  # noqa: BLE001 - Redis is away, and the jobs that run may go on
                if asyncio.get_running_loop().time() - began > LONGEST_PAUSE.total_seconds():
                    failures = 0
                failures += 1
                if failures == 1:
                    logger.warning("worker_without_redis", error=type(error).__name__)
                self._keep(self._worker)
                pause = backoff(failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause.total_seconds())

    async def close(self) -> None:
        """Takes no more jobs, and lets those that run finish."""
        self._closing.set()
        self._worker.allow_pick_jobs = False
        # What it has just taken goes back by itself, as soon as it is among the tasks.
        async with self._worker.taking:
            self._keep(self._worker)
        await finish(self._running, self._working.grace)

    async def _run(self, ctx: dict[str, Any]) -> None:
        async with self._slots:
            if self._closing.is_set():
                # It stays where it is, for another worker.
                raise RetryJob
            await self._runner.run(UUID(hex=ctx["job_id"]))

    def _new(self) -> _Worker:
        concurrency = self._working.concurrency
        worker = _Worker(
            [func(self._run, name=RUN)],
            queue_name=self._queue,
            redis_pool=self._redis,
            handle_signals=False,
            max_jobs=concurrency,
            queue_read_limit=max(100, 10 * concurrency),
            poll_delay=POLL,
            job_timeout=ENDLESS,
            keep_result=0,
            max_tries=2**31,
            job_serializer=to_json,
            job_deserializer=json.loads,
            log_results=False,
        )
        # arq's own has one place more, which would never be waited for.
        worker.sem = asyncio.BoundedSemaphore(concurrency)
        worker.taking = asyncio.Lock()
        # It matters only until the job is taken from the table, which has leases of its own.
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
            # arq could not tell Redis that it is done. The table knows.
            logger.debug("job_not_taken_off", error=type(task.exception()).__name__)


def to_json(value: object) -> bytes:
    """Arq's serializer."""
    return json.dumps(value, separators=(",", ":")).encode()
