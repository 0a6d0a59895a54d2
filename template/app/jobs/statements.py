"""SQL statements on the table `jobs`, built once: each runs thousands of times a minute."""

from typing import Final

from sqlalchemy import Integer, bindparam, case, func, null, select, tuple_, update

from app.jobs.models import JobState, jobs

LOST: Final = "The worker ended, or sent no heartbeat, during the last attempt."

_TIME = jobs.c.run_at.type
_NOW = bindparam("now", type_=_TIME)
_LEASE_ENDS = bindparam("lease_ends", type_=_TIME)
_AMONG = jobs.c.id.in_(bindparam("ids", expanding=True))
_WAITS = jobs.c.state == JobState.WAITING
_RUNS = jobs.c.state == JobState.RUNNING
_HELD = tuple_(jobs.c.id, jobs.c.attempts).in_(bindparam("held", expanding=True))
_SAME_STATE = {"updated_at": jobs.c.updated_at}
_WAIT_NOW = {"state": JobState.WAITING, "due_at": _NOW, "updated_at": _NOW}

CLAIM: Final = (
    update(jobs)
    .where(_AMONG, _WAITS, jobs.c.run_at <= bindparam("latest", type_=_TIME))
    .values(
        state=JobState.RUNNING,
        attempts=jobs.c.attempts + 1,
        started_at=func.coalesce(jobs.c.started_at, _NOW),
        due_at=_LEASE_ENDS,
        updated_at=_NOW,
    )
    .returning(
        jobs.c.id,
        jobs.c.name,
        jobs.c.args,
        jobs.c.attempts.label("attempt"),
        jobs.c.max_attempts,
        jobs.c.request_id,
        jobs.c.traceparent,
    )
)
FINISH: Final = (
    update(jobs)
    .where(_HELD, _RUNS)
    .values(state=JobState.DONE, due_at=None, error=None, updated_at=_NOW)
    .returning(jobs.c.id)
)
FINISH_LATE: Final = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.attempts >= bindparam("attempt", type_=Integer),
        jobs.c.state.in_((JobState.RUNNING, JobState.WAITING, JobState.DEAD)),
    )
    .values(state=JobState.DONE, due_at=None, error=None, updated_at=_NOW)
    .returning(jobs.c.id)
)
FAIL: Final = (
    update(jobs)
    .where(_HELD, _RUNS)
    .values(
        state=bindparam("to"),
        run_at=bindparam("run", type_=_TIME),
        due_at=bindparam("due", type_=_TIME),
        error=bindparam("reason"),
        updated_at=_NOW,
    )
    .returning(jobs.c.id)
)
GIVE_BACK: Final = (
    update(jobs).where(_HELD, _RUNS).values(**_WAIT_NOW, attempts=jobs.c.attempts - 1).returning(jobs.c.id)
)
RENEW: Final = update(jobs).where(_HELD, _RUNS).values(due_at=_LEASE_ENDS, **_SAME_STATE).returning(jobs.c.id)

NEXT_DUE: Final = select(func.min(jobs.c.due_at)).where(jobs.c.due_at.is_not(None))
_SPENT = jobs.c.attempts >= jobs.c.max_attempts
TAKE_LOST: Final = (
    update(jobs)
    .where(_RUNS, jobs.c.due_at <= _NOW)
    .values(
        state=case((_SPENT, JobState.DEAD), else_=JobState.WAITING),
        due_at=case((_SPENT, null()), else_=_NOW),
        error=LOST,
        updated_at=_NOW,
    )
    .returning(jobs.c.id, jobs.c.name, jobs.c.state)
)
_DUE = (
    select(jobs.c.id)
    .where(_WAITS, jobs.c.due_at <= _NOW)
    .order_by(jobs.c.due_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
    # As a subquery, PostgreSQL may run it once per row, and the limit would not hold.
    .cte("due")
)
TAKE_DUE: Final = (
    update(jobs)
    .where(jobs.c.id.in_(select(_DUE.c.id)), _WAITS)
    .values(due_at=bindparam("again", type_=_TIME), **_SAME_STATE)
    .returning(jobs.c.id)
)
POSTPONE: Final = (
    update(jobs)
    .where(_AMONG, _WAITS)
    .values(due_at=bindparam("until", type_=_TIME), **_SAME_STATE)
    .returning(jobs.c.id)
)
FIRST_WAITING: Final = select(jobs.c.id).where(_WAITS).order_by(jobs.c.id).limit(1)
