"""What happens to jobs once they are in the table.

Each step is one statement, a transaction of its own, and changes only rows in the state that it expects: of two who try
the same, one finds nothing to do.
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
"""How far the clocks of two machines may differ, for a job that one says is due to be due on the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A job that this process runs, as long as its row says `running` and the same attempt."""

    id: UUID
    name: str
    args: Sequence[Json]
    attempt: int
    max_attempts: int
    request_id: str | None

    @property
    def is_last(self) -> bool:
        """Whether no other attempt follows."""
        return self.attempt >= self.max_attempts


class Ledger:
    """Changes the states of jobs."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        self._database = database
        self._lease = lease

    async def claim(self, ids: Sequence[UUID], *, early: bool = False) -> list[Claim]:
        """Takes those of the jobs that wait; they are this process's own until their lease ends.

        Args:
            early: also those that are not due yet.
        """
        now = utc_now()
        latest = datetime.max.replace(tzinfo=now.tzinfo) if early else now + SLACK
        values = {"ids": ids, "latest": latest, "now": now, "lease_ends": now + self._lease}
        return [Claim(**row._mapping) for row in await self._database.execute(statements.CLAIM, values)]  # noqa: SLF001 - public

    async def finish(self, claims: Sequence[Claim]) -> set[UUID]:
        """Marks jobs as done.

        Returns:
            Those that still were this process's own.
        """
        values = {"held": _held(claims), "now": utc_now()}
        return {row[0] for row in await self._database.execute(statements.FINISH, values)}

    async def fail(self, claim: Claim, reason: str, pause: timedelta) -> bool:
        """Has a job wait for its next attempt, or declares it dead after the last; whether it was still its own."""
        now = utc_now()
        state, due = (JobState.DEAD, None) if claim.is_last else (JobState.WAITING, now + pause)
        values = {"held": _held([claim]), "now": now, "to": state, "run": now + pause, "due": due, "reason": reason}
        return bool(await self._database.execute(statements.FAIL, values))

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Has jobs run elsewhere that this process cannot finish; the attempt does not count."""
        await self._database.execute(statements.GIVE_BACK, {"held": _held(claims), "now": utc_now()})

    async def renew(self, claims: Sequence[Claim]) -> None:
        """Keeps jobs for another lease."""
        await self._database.execute(statements.RENEW, {"held": _held(claims), "lease_ends": utc_now() + self._lease})

    async def next_due(self) -> datetime | None:
        """When there is something for a sweep to do."""
        rows = await self._database.fetch(statements.NEXT_DUE, {})
        return cast("datetime | None", rows[0][0])

    async def take_lost(self) -> list[tuple[UUID, str, str]]:
        """Takes jobs from workers that are gone: to wait again, or dead after the last attempt.

        Returns:
            Their ids, names and new states.
        """
        rows = await self._database.execute(statements.TAKE_LOST, {"now": utc_now()})
        return [(row[0], row[1], row[2]) for row in rows]

    async def take_due(self, limit: int) -> list[UUID]:
        """Waiting jobs that have to be handed over. Whoever asks next gets others, until one lease later."""
        now = utc_now()
        values = {"now": now, "limit": limit, "again": now + self._lease}
        return [row[0] for row in await self._database.execute(statements.TAKE_DUE, values)]

    async def postpone(self, ids: Sequence[UUID], until: datetime) -> None:
        """Has the sweep see to waiting jobs then."""
        await self._database.execute(statements.POSTPONE, {"ids": ids, "until": until})

    async def first_waiting(self) -> UUID | None:
        """The oldest job that waits, whenever it is due."""
        rows = await self._database.fetch(statements.FIRST_WAITING, {})
        return rows[0][0] if rows else None


def _held(claims: Collection[Claim]) -> list[tuple[UUID, int]]:
    return [(claim.id, claim.attempt) for claim in claims]
