"""Workers: who runs what, when it is taken over, and how it ends."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.lifecycle import running
from app.core.manifest import Cron
from app.core.runtime import Runtime
from app.jobs.broker import InProcessBroker, WorkerOptions
from app.jobs.models import Job, JobState
from app.jobs.operations import get_job, list_jobs, replay
from tests.jobs.sample_jobs import Work, age, enqueue, fail, make_runtime, note, outbox_of, queue_another, wait

SOON = timedelta(seconds=5)


class Recorder(InProcessBroker):
    """Keeps what is handed over, or refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[UUID] = []
        self.is_away = False

    async def send(self, ids: Sequence[UUID]) -> None:
        """See `Broker.send`."""
        if self.is_away:
            raise ConnectionError
        self.sent += ids


async def state_of(runtime: Runtime, id_: str) -> tuple[str, int]:
    """Where the job stands, and how often it was tried."""
    job = await get_job(runtime, UUID(id_))
    assert job is not None
    return job.state, job.attempts


class TestAlone:
    """One process serves and works, as in local."""

    async def test_jobs_start_by_themselves_and_so_do_those_they_queue(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions())
        async with running(runtime):
            await enqueue(runtime, queue_another)
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["second"]

    async def test_what_was_left_by_another_process_is_run(self, live_database: Database) -> None:
        await enqueue(make_runtime(live_database), note, "left")
        runtime = make_runtime(live_database, worker=WorkerOptions())
        async with running(runtime):
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["left"]

    async def test_what_fails_is_tried_again(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions())
        runtime.resource(Work).failures = 2
        async with running(runtime):
            id_ = await enqueue(runtime, fail)
            await runtime.resource(Work).until(3)
        assert await state_of(runtime, id_) == (JobState.DONE, 3)

    async def test_jobs_by_the_clock_run(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(), crons=(Cron(function=queue_another, minute="*"),))
        async with running(runtime):
            await runtime.resource(Work).until(1)
        assert runtime.resource(Work).done == ["second"]

    async def test_a_sign_of_life_is_given(self, live_database: Database) -> None:
        alive = asyncio.Event()
        async with running(make_runtime(live_database, worker=WorkerOptions(heartbeat=alive.set))):
            await asyncio.wait_for(alive.wait(), 5)

    async def test_one_that_cannot_be_given_is_told_once_and_stops_nothing(self, live_database: Database) -> None:
        calls = asyncio.Semaphore(0)

        def alive() -> None:
            calls.release()
            raise PermissionError

        runtime = make_runtime(live_database, worker=WorkerOptions(heartbeat=alive))
        with capture_logs() as logs:
            async with running(runtime):
                for _ in range(3):
                    await asyncio.wait_for(calls.acquire(), 5)
        assert [entry["event"] for entry in logs] == ["jobs_heartbeat_failed"]


class TestStop:
    async def test_what_runs_may_finish(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(drain_timeout=SOON))
        work = runtime.resource(Work)
        async with running(runtime):
            id_ = await enqueue(runtime, wait)
            await work.until(1)
            asyncio.get_running_loop().call_later(0.01, work.gate.set)
        assert await state_of(runtime, id_) == (JobState.DONE, 1)

    async def test_what_takes_longer_is_given_back_and_loses_no_attempt(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(drain_timeout=timedelta()))
        async with running(runtime):
            id_ = await enqueue(runtime, wait)
            await runtime.resource(Work).until(1)
        assert await state_of(runtime, id_) == (JobState.WAITING, 0)


class TestClaim:
    async def test_a_job_that_is_handed_over_twice_runs_once(self, database: Database) -> None:
        runtime = make_runtime(database)
        id_ = UUID(await enqueue(runtime, note, "one"))
        runner = outbox_of(runtime).runner
        await asyncio.gather(runner.run(id_), runner.run(id_))
        await runner.run(id_)

        assert runtime.resource(Work).done == ["one"]

    async def test_of_two_workers_one_runs_it(self, live_database: Database) -> None:
        first, second = make_runtime(live_database), make_runtime(live_database)
        ids = [UUID(await enqueue(first, note, number)) for number in range(20)]
        await asyncio.gather(
            *(outbox_of(first).runner.run(id_) for id_ in ids),
            *(outbox_of(second).runner.run(id_) for id_ in reversed(ids)),
        )
        done = first.resource(Work).done + second.resource(Work).done
        assert sorted(map(int, map(str, done))) == list(range(20))

    async def test_a_job_that_is_not_due_is_not_run(self, database: Database) -> None:
        runtime = make_runtime(database)
        id_ = await enqueue(runtime, note, "one", delay=60)
        await outbox_of(runtime).runner.run(UUID(id_))

        assert runtime.resource(Work).done == []
        assert await state_of(runtime, id_) == (JobState.WAITING, 0)

    async def test_the_end_of_a_job_that_was_taken_over_counts_for_nothing(self, database: Database) -> None:
        runtime = make_runtime(database)
        ledger = outbox_of(runtime).ledger
        id_ = await enqueue(runtime, note, "one")
        (old,) = await ledger.claim([UUID(id_)])
        await age(runtime)
        assert [state for _, _, state in await ledger.take_lost()] == [JobState.WAITING]
        (new,) = await ledger.claim([UUID(id_)])

        assert await ledger.finish([old]) == set()
        assert not await ledger.fail(old, "late", timedelta())
        await ledger.give_back([old])
        assert await state_of(runtime, id_) == (JobState.RUNNING, 2)
        assert await ledger.finish([new]) == {UUID(id_)}


class TestLease:
    async def test_of_a_long_job_is_renewed(self, live_database: Database) -> None:
        runtime = make_runtime(live_database, worker=WorkerOptions(drain_timeout=SOON))
        work, ledger = runtime.resource(Work), outbox_of(runtime).ledger
        renewed = asyncio.Event()
        renew = ledger.renew

        async def notice(claims: Sequence[object]) -> None:
            await renew(claims)  # type: ignore[arg-type]  # passes on what it is given
            renewed.set()

        ledger.renew = notice  # type: ignore[method-assign]  # listens
        async with running(runtime):
            id_ = await enqueue(runtime, wait)
            await work.until(1)
            before = await get_job(runtime, UUID(id_))
            await asyncio.wait_for(renewed.wait(), 10)
            after = await get_job(runtime, UUID(id_))
            work.gate.set()
        assert before is not None and after is not None  # noqa: PT018 - one thought
        assert before.due_at is not None and after.due_at is not None  # noqa: PT018 - one thought
        assert before.due_at < after.due_at
        assert await state_of(runtime, id_) == (JobState.DONE, 1)

    async def test_a_job_that_outlasts_its_lease_is_done_when_it_succeeds(self, live_database: Database) -> None:
        runtime = make_runtime(live_database)
        work, outbox = runtime.resource(Work), outbox_of(runtime)
        id_ = await enqueue(runtime, wait)
        # As if each worker blocked its event loop for longer than the lease: none of the leases is renewed.
        attempts = []
        for number in range(10):
            (claim,) = await outbox.ledger.claim([UUID(id_)], early=True)
            attempts.append(asyncio.create_task(outbox.runner.run_claimed(claim)))
            await work.until(number + 1)
            await age(runtime)
            await outbox.sweeper().sweep()
        assert await state_of(runtime, id_) == (JobState.DEAD, 10)
        work.gate.set()
        with capture_logs() as logs:
            await asyncio.gather(*attempts)

        assert await state_of(runtime, id_) == (JobState.DONE, 10)
        events = [entry["event"] for entry in logs]
        assert events.count("job_finished_after_its_lease") == 1
        assert events.count("job_taken_over") == 9

    async def test_a_late_success_changes_nothing_of_a_job_that_was_retried(self, database: Database) -> None:
        runtime = make_runtime(database)
        ledger = outbox_of(runtime).ledger
        id_ = UUID(await enqueue(runtime, note, "one"))
        for _ in range(10):
            (old,) = await ledger.claim([id_], early=True)
            await age(runtime)
            await ledger.take_lost()
        assert await replay(runtime, id_)

        assert not await ledger.finish_late(old)
        assert await state_of(runtime, str(id_)) == (JobState.WAITING, 0)

    async def test_a_job_that_has_killed_every_worker_is_dead(self, database: Database) -> None:
        runtime = make_runtime(database)
        outbox = outbox_of(runtime)
        id_ = await enqueue(runtime, note, "deadly")
        for _ in range(10):
            assert len(await outbox.ledger.claim([UUID(id_)], early=True)) == 1
            await age(runtime)
            with capture_logs() as logs:
                await outbox.sweeper().sweep()

        assert await state_of(runtime, id_) == (JobState.DEAD, 10)
        assert [entry["event"] for entry in logs] == ["job_failed"]
        (job,), _ = await list_jobs(runtime)
        assert job.error == "The worker ended, or sent no heartbeat, during the last attempt."


class TestSweep:
    async def test_hands_over_what_is_due_and_again_after_a_lease(self, database: Database) -> None:
        broker = Recorder()
        runtime = make_runtime(database, broker=broker)
        sweeper = outbox_of(runtime).sweeper()
        id_ = UUID(await enqueue(runtime, note, "one"))
        await enqueue(runtime, note, "later", delay=60)

        await sweeper.sweep()
        await sweeper.sweep()
        assert broker.sent == [id_]
        async with runtime.database.transaction() as session:
            job = await session.get_one(Job, id_)
            job.due_at = job.run_at
        await sweeper.sweep()
        assert broker.sent == [id_, id_]

    async def test_what_could_not_be_handed_over_is_due_at_once(self, database: Database) -> None:
        broker = Recorder()
        runtime = make_runtime(database, broker=broker)
        sweeper = outbox_of(runtime).sweeper()
        id_ = UUID(await enqueue(runtime, note, "one"))
        broker.is_away = True
        with pytest.raises(ConnectionError):
            await sweeper.sweep()
        broker.is_away = False
        await sweeper.sweep()

        assert broker.sent == [id_]

    async def test_hands_over_no_more_than_there_is_room_for(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broker = Recorder()
        runtime = make_runtime(database, broker=broker)
        ids = [UUID(await enqueue(runtime, note, number)) for number in range(3)]
        rooms = iter([2, 0])

        async def capacity() -> int:
            return next(rooms)

        monkeypatch.setattr(broker, "capacity", capacity)
        await outbox_of(runtime).sweeper().sweep()

        assert broker.sent == ids[:2]


class TestRelay:
    async def test_hands_over_what_is_committed(self, live_database: Database) -> None:
        broker = Recorder()
        runtime = make_runtime(live_database, broker=broker)
        async with running(runtime):
            ids = [UUID(await enqueue(runtime, note, number)) for number in range(3)]
            await enqueue(runtime, note, "later", delay=60)
        assert broker.sent == ids

    async def test_leaves_to_the_sweep_what_it_cannot_hand_over(self, live_database: Database) -> None:
        broker = Recorder()
        broker.is_away = True
        runtime = make_runtime(live_database, broker=broker)
        with capture_logs() as logs:
            async with running(runtime):
                await enqueue(runtime, note, "one")
        broker.is_away = False
        assert [(entry["event"], entry["count"]) for entry in logs] == [("jobs_left_to_the_sweep", 1)]
        await outbox_of(runtime).sweeper().sweep()
        assert len(broker.sent) == 1


class TestOutage:
    async def test_an_outcome_is_written_when_the_database_is_back(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = make_runtime(database)
        ledger = outbox_of(runtime).ledger
        id_ = await enqueue(runtime, note, "one")
        monkeypatch.setattr(ledger, "finish", failing(ledger.finish, times=2))
        await outbox_of(runtime).runner.run(UUID(id_))

        assert await state_of(runtime, id_) == (JobState.DONE, 1)
        assert runtime.resource(Work).done == ["one"]


def failing[R, **P](function: Callable[P, R], *, times: int) -> Callable[P, R]:
    """The function, which fails a few times first."""
    left = iter(range(times))

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if next(left, None) is not None:
            raise ConnectionError
        return function(*args, **kwargs)

    return call
