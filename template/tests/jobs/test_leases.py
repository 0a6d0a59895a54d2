"""Claims and leases of jobs."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.lifecycle import running
from app.jobs.broker import WorkerOptions
from app.jobs.models import JobState
from app.jobs.operations import get_job, list_jobs, replay
from tests.jobs.sample_jobs import Work, age, enqueue, make_runtime, note, outbox_of, wait
from tests.jobs.workers import SOON, state_of


class TestClaim:
    async def test_a_job_that_is_handed_over_twice_runs_once(self, database: Database) -> None:
        runtime = make_runtime(database)
        id_ = UUID(await enqueue(runtime, note, "one"))
        runner = outbox_of(runtime).runner
        await asyncio.gather(runner.run(id_), runner.run(id_))
        await runner.run(id_)

        assert runtime.resource(Work).done == ["one"]

    async def test_one_of_two_workers_runs_it(self, live_database: Database) -> None:
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

    async def test_the_outcome_of_a_job_that_was_taken_over_is_ignored(self, database: Database) -> None:
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
    async def test_is_renewed_during_a_long_job(self, live_database: Database) -> None:
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

    async def test_a_late_success_does_not_affect_a_replayed_job(self, database: Database) -> None:
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
