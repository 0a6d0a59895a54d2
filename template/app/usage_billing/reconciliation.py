"""Comparison of the ledger with what Stripe has counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import case, func, select
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.inbox.service import replay_exhausted
from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.usage_billing import meter_api, statements
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.recorder import OLDEST
from app.usage_billing.webhook import PROVIDER

logger = structlog.stdlib.get_logger(__name__)

MINUTE: Final = timedelta(minutes=1)
SETTLED: Final = timedelta(minutes=15)
"""Stripe sums up with a delay. Usage younger than this is not compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A difference between the ledger and Stripe, of one customer and one meter.

    Attributes:
        sent: the sum of the records that Stripe has accepted.
        in_flight: the sum of records that may or may not have reached Stripe.
        counted: Stripe's sum; `None` if the account has no such meter.
    """

    meter: str
    customer_id: str
    sent: int
    in_flight: int
    counted: int | None

    @property
    def is_equal(self) -> bool:
        """Whether both sums agree, as far as that can be known."""
        return self.counted is not None and self.sent <= self.counted <= self.sent + self.in_flight


async def reconcile(runtime: Runtime, *, until: datetime | None = None) -> tuple[int, list[Drift]]:
    """Settle unclear records, then compare the sums of the last month for each customer and meter.

    Also retry Stripe's reports of rejected usage that failed in an outage.

    Args:
        until: the end of the comparison; by default, usage is compared that Stripe must have summed up by now.

    Returns:
        How many sums were compared, and those that differ.

    Raises:
        ProviderUnavailableError: Stripe doesn't answer.
    """
    api = runtime.resource(StripeApi)
    known = await meter_api.meters(api)
    await replay_exhausted(runtime, PROVIDER)
    await _settle_unclear(runtime, known)
    end = _minute(until or utc_now() - SETTLED)
    start = _minute(utc_now() - OLDEST)
    compared = [
        Drift(
            meter=meter,
            customer_id=customer_id,
            sent=sent,
            in_flight=in_flight,
            counted=await meter_api.counted(api, known[meter]["id"], customer_id, start, end)
            if meter in known
            else None,
        )
        for meter, customer_id, sent, in_flight in await _sums(runtime, start, end)
    ]
    drifts = [drift for drift in compared if not drift.is_equal]
    for drift in drifts:
        logger.error(
            "usage_drift", meter=drift.meter, customer=drift.customer_id, sent=drift.sent, counted=drift.counted
        )
    return len(compared), drifts


async def _sums(runtime: Runtime, start: datetime, end: datetime) -> Sequence[tuple[str, str, int, int]]:
    """Return the sums of sent records, and of those that may have reached Stripe, by meter and customer."""
    quantity, state = col(UsageRecord.quantity), col(UsageRecord.state)
    in_flight = state.in_((UsageState.PENDING, UsageState.UNCLEAR))
    statement = (
        select(
            col(UsageRecord.meter),
            col(UsageRecord.customer_id),
            func.sum(case((state == UsageState.SENT, quantity), else_=0)),
            func.sum(case((in_flight, quantity), else_=0)),
        )
        .where(
            col(UsageRecord.customer_id).is_not(None),
            col(UsageRecord.occurred_at) >= start,
            col(UsageRecord.occurred_at) < end,
        )
        .group_by(col(UsageRecord.meter), col(UsageRecord.customer_id))
        .order_by(col(UsageRecord.meter), col(UsageRecord.customer_id))
    )
    async with runtime.database.reading() as session:
        rows = (await session.execute(statement)).all()
    return [(meter, customer_id, int(sent), int(unsure)) for meter, customer_id, sent, unsure in rows]


async def _settle_unclear(runtime: Runtime, known: Any) -> None:  # noqa: ANN401 - JSON of the API
    """Find out whether Stripe has counted records whose attempts were cut off more than a day ago.

    In the minute of such records, Stripe's sum is either that of the records that it has accepted, or theirs on top.
    """
    unclear = select(UsageRecord).where(col(UsageRecord.state) == UsageState.UNCLEAR)
    async with runtime.database.reading() as session:
        records = (await session.scalars(unclear)).all()
    groups: dict[tuple[str, str, datetime], list[UsageRecord]] = {}
    for record in records:
        groups.setdefault((record.meter, str(record.customer_id), _minute(record.occurred_at)), []).append(record)
    for (meter, customer_id, minute), members in groups.items():
        if meter not in known:
            continue
        api = runtime.resource(StripeApi)
        counted = await meter_api.counted(api, known[meter]["id"], customer_id, minute, minute + MINUTE)
        sums = await _sums(runtime, minute, minute + MINUTE)
        sent = next(sum_ for name, customer, sum_, _ in sums if (name, customer) == (meter, customer_id))
        await _settle(runtime, members, counted - sent)


async def _settle(runtime: Runtime, members: Sequence[UsageRecord], surplus: int) -> None:
    ids, quantity = [record.id for record in members], sum(record.quantity for record in members)
    if surplus == quantity:
        await statements.mark_sent(runtime.database, ids)
    elif surplus == 0:
        await statements.send_again(runtime.database, ids)
    else:
        logger.error("usage_still_unclear", records=len(ids), recorded=quantity, counted=surplus)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
