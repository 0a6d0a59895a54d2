"""The comparison of the sums."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col
from structlog.testing import capture_logs

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.usage_billing.jobs import reconcile_usage
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.reconciliation import reconcile
from app.usage_billing.sender import send_due
from tests.usage_billing.conftest import counted, record, records, send, states

SOON = timedelta(minutes=2)


@pytest.fixture
async def sent(runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID) -> StripeFake:
    """The fake, which has counted 12 units of a customer."""
    assert customer
    await record(runtime, user_id, 5, 7)
    await send_due(runtime)
    return stripe_fake


class TestReconcile:
    async def test_finds_no_difference(self, runtime: Runtime, sent: StripeFake) -> None:
        assert counted(sent)
        assert await reconcile(runtime, until=utc_now() + SOON) == (1, [])
        # Stripe sums up with a delay: younger usage is not compared.
        assert await reconcile(runtime) == (0, [])

    async def test_reports_usage_that_stripe_has_not_counted(
        self, runtime: Runtime, sent: StripeFake, customer: str
    ) -> None:
        sent.account.meter_events.pop()
        with capture_logs() as logs:
            _, (drift,) = await reconcile(runtime, until=utc_now() + SOON)
        assert (drift.customer_id, drift.sent) == (customer, 12)
        assert drift.counted in {5, 7}
        assert logs[0]["event"] == "usage_drift"

    async def test_tolerates_usage_on_its_way(self, runtime: Runtime, sent: StripeFake, user_id: UUID) -> None:
        await record(runtime, user_id, 3)
        last = (await records(runtime))[2]
        await send_due(runtime)
        async with runtime.database.transaction() as session:
            # As it is until the answer has arrived.
            await session.execute(update(UsageRecord).where(col(UsageRecord.id) == last.id).values(state="pending"))
        assert sum(counted(sent)) == 15
        assert await reconcile(runtime, until=utc_now() + SOON) == (1, [])

    async def test_reports_a_missing_meter(self, runtime: Runtime, sent: StripeFake) -> None:
        sent.account.objects.pop("billing.meter")
        _, (drift,) = await reconcile(runtime, until=utc_now() + SOON)
        assert drift.counted is None

    async def test_runs_as_a_job(self, runtime: Runtime, sent: StripeFake) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(UsageRecord).values(occurred_at=utc_now() - timedelta(hours=1)))
        # The ledger's times are not those that Stripe was told.
        assert sum(counted(sent)) == 12
        assert await reconcile_usage(runtime) == {"compared": 1, "different": 1}


class TestUnclear:
    @pytest.mark.parametrize("was_counted", [True, False])
    async def test_is_settled_by_the_sum_of_its_minute(
        self, runtime: Runtime, sent: StripeFake, *, was_counted: bool
    ) -> None:
        (first, second) = await records(runtime)
        if not was_counted:
            sent.account.meter_events.pop()
        last = sent.account.meter_identifiers
        assert str(second.id) in last
        unsent = second if was_counted else next(row for row in (first, second) if row.quantity not in counted(sent))
        async with runtime.database.transaction() as session:
            values = {"state": UsageState.UNCLEAR, "first_attempt_at": utc_now() - timedelta(days=2)}
            await session.execute(update(UsageRecord).where(col(UsageRecord.id) == unsent.id).values(**values))
        last.clear()
        sent.api._kept.clear()  # noqa: SLF001 - the fake's memory
        await reconcile(runtime, until=utc_now() + SOON)

        await send(runtime)
        assert await states(runtime) == [UsageState.SENT, UsageState.SENT]
        assert sorted(counted(sent)) == [5, 7]
