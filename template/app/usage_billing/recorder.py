"""The ledger of usage: the implementation of the core's port."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.database import after_commit, insert_if_absent
from app.core.db.models import utc_now
from app.usage_billing.meters import Meters
from app.usage_billing.models import KEY_LENGTH, UsageRecord

MAX_QUANTITY: Final = 10**12
OLDEST: Final = timedelta(days=34)
"""Stripe takes usage of the past 35 days."""
CLOCK_SKEW: Final = timedelta(minutes=4)
"""Stripe takes usage of at most five minutes in the future."""


@dataclass(frozen=True, slots=True)
class UsageLedger:
    """Usage as rows, written in the transaction of the work that is billed."""

    meters: Meters

    async def record(
        self,
        session: AsyncSession,
        user_id: UUID,
        meter: str,
        quantity: int = 1,
        *,
        key: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """See `UsageRecorder.record`."""
        now = utc_now()
        _check(self.meters.get(meter).name, quantity, key, at or now, now)
        # Refuses a session that never commits.
        after_commit(session, lambda: None)
        row = UsageRecord(user_id=user_id, meter=meter, quantity=quantity, occurred_at=at or now, key=key, due_at=now)
        if key is None:
            # Written with the transaction's other rows, in one statement.
            session.add(row)
        else:
            await insert_if_absent(session, UsageRecord, row.model_dump(), unique=("user_id", "meter", "key"))


def _check(meter: str, quantity: int, key: str | None, at: datetime, now: datetime) -> None:
    # A quantity that another module has calculated may be a fraction or NaN, whatever its annotation says.
    if type(quantity) is not int or not 0 < quantity <= MAX_QUANTITY:
        raise ValueError(f"The quantity of {meter} must be a whole number from 1 to {MAX_QUANTITY}: {quantity!r}.")
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isprintable()):
        raise ValueError(f"The key of {meter} must have 1 to {KEY_LENGTH} printable characters.")
    if at.tzinfo is None:
        raise ValueError(f"The time of the usage of {meter} has no time zone: {at}.")
    if not now - OLDEST <= at <= now + CLOCK_SKEW:
        raise ValueError(f"The usage of {meter} must be at most {OLDEST.days} days old and not in the future: {at}.")
