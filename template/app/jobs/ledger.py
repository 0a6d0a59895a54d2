"""State changes of jobs in the table.

Each change is one statement in a transaction of its own, and affects only rows in the expected state: of two processes
that try the same, one finds nothing to do.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.ports.queue import Json
from app.jobs import statements
from app.jobs.models import JobState

SLACK: Final = timedelta(seconds=5)
"""The tolerated difference between the clocks of two machines: a job that is due on one may not be due on the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A job that belongs to this process, as long as its row is `running` with the same attempt."""

    id: UUID
    name: str
    args: Sequence[Json]
    attempt: int
    max_attempts: int
    request_id: str | None
    traceparent: str | None

    @property
    def is_last(self) -> bool:
        """Whether the job is dead if this attempt fails."""
        return self.attempt >= self.max_attempts


class Ledger:
    """Changes the state of jobs."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        self._database = database
        self._lease = lease

    async def claim(self, ids: Sequence[UUID], *, early: bool = False) -> list[Claim]:
        """Claim those of the jobs that are waiting. They belong to this process until their lease expires.

        Args:
            early: whether to claim jobs that are not due yet.
        """
        now = utc_now()
        latest = datetime.max.replace(tzinfo=now.tzinfo) if early else now + SLACK
        values = {"ids": ids, "latest": latest, "now": now, "lease_ends": now + self._lease}
        return [Claim(**row._mapping) for row in await self._database.execute(statements.CLAIM, values)]  # noqa: SLF001 - public

    async def finish(self, claims: Sequence[Claim]) -> set[UUID]:
        """Mark jobs as done.

        Returns:
            The ids of those that still belonged to this process.
        """
        values = {"held": _held(claims), "now": utc_now()}
        return {row[0] for row in await self._database.execute(statements.FINISH, values)}

    async def finish_late(self, claim: Claim) -> bool:
        """Mark a job as done whose lease expired while it ran: it succeeded, even if its state has changed since.

        Returns:
            Whether the job changed. It doesn't if another attempt has finished it, or if it was cancelled or retried
            by an administrator.
        """
        values = {"job": claim.id, "attempt": claim.attempt, "now": utc_now()}
        return bool(await self._database.execute(statements.FINISH_LATE, values))

    async def fail(self, claim: Claim, reason: str, pause: timedelta) -> bool:
        """Schedule the job's next attempt, or mark it as dead after the last. Return whether it still belonged here."""
        now = utc_now()
        state, due = (JobState.DEAD, None) if claim.is_last else (JobState.WAITING, now + pause)
        values = {"held": _held([claim]), "now": now, "to": state, "run": now + pause, "due": due, "reason": reason}
        return bool(await self._database.execute(statements.FAIL, values))

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Give back jobs that this process cannot finish. The attempt doesn't count."""
        await self._database.execute(statements.GIVE_BACK, {"held": _held(claims), "now": utc_now()})

    async def renew(self, claims: Sequence[Claim]) -> None:
        """Renew the leases of jobs."""
        await self._database.execute(statements.RENEW, {"held": _held(claims), "lease_ends": utc_now() + self._lease})

    async def next_due(self) -> datetime | None:
        """Return when the sweeper must act next."""
        rows = await self._database.fetch(statements.NEXT_DUE, {})
        return cast("datetime | None", rows[0][0])

    async def take_lost(self) -> list[tuple[UUID, str, str]]:
        """Take jobs whose lease has expired from their workers: they wait again, or are dead after the last attempt.

        Returns:
            Their ids, names and new states.
        """
        rows = await self._database.execute(statements.TAKE_LOST, {"now": utc_now()})
        return [(row[0], row[1], row[2]) for row in rows]

    async def take_due(self, limit: int) -> list[UUID]:
        """Return waiting jobs to hand over. For the duration of a lease, no other call returns the same ones."""
        now = utc_now()
        values = {"now": now, "limit": limit, "again": now + self._lease}
        return [row[0] for row in await self._database.execute(statements.TAKE_DUE, values)]

    async def postpone(self, ids: Sequence[UUID], until: datetime) -> None:
        """Make waiting jobs due for the sweeper at another time."""
        await self._database.execute(statements.POSTPONE, {"ids": ids, "until": until})

    async def first_waiting(self) -> UUID | None:
        """Return the oldest waiting job, due or not."""
        rows = await self._database.fetch(statements.FIRST_WAITING, {})
        return rows[0][0] if rows else None


def _held(claims: Collection[Claim]) -> list[tuple[UUID, int]]:
    return [(claim.id, claim.attempt) for claim in claims]
