"""Drift: lost events, restored backups, and users who are erased."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from app.core.data_policy.daily_report import make_report
from app.core.db.models import utc_now
from app.core.lifecycle import running
from app.core.runtime import Runtime
from app.dev.servers.stripe.billing import payments
from app.dev.servers.stripe.objects.hosted import CheckoutSession
from app.dev.servers.stripe.objects.payments import Charge
from app.dev.servers.stripe.objects.subscriptions import Subscription as StripeSubscription
from app.payments.erasure import ErasureBlockedError
from app.payments.models import Subscription
from app.payments.port import ProviderUnavailableError, SubscriptionStatus
from app.payments.reconciliation import reconcile, sync_user
from app.stripe.models import StripeCustomer
from app.users.erasure import erase_user
from app.users.models import User
from tests.conftest import SignIn, make_runtime
from tests.stripe.conftest import Buyer, StripeServer, make_buyer, prepare


@pytest.fixture
async def live_buyer(
    stripe_server: StripeServer, live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
) -> Buyer:
    """A user on a database with a pool: reconciliation fetches several subscriptions at once."""
    fake = await prepare(stripe_server, live_runtime)
    return await make_buyer(live_client, live_runtime, fake, live_sign_in)


def drop_events(buyer: Buyer) -> None:
    """Lose every event that waits."""
    buyer.fake.account.deliveries.clear()


class TestReconcile:
    async def test_finds_changes_that_no_event_reported(self, live_buyer: Buyer) -> None:
        await live_buyer.buy(plan="enterprise")
        drop_events(live_buyer)
        (first,) = await reconcile(live_buyer.runtime)
        assert (first.checked, first.repaired, first.failed) == (1, 1, 0)
        assert (await live_buyer.status())["plan"] == "enterprise"

        (second,) = await reconcile(live_buyer.runtime)
        assert (second.checked, second.repaired) == (1, 0)
        report = await make_report(live_buyer.runtime, utc_now().date())
        assert report.metrics["subscriptions_drift_repaired"] == 1
        assert report.metrics["subscriptions_active"] == 1

    async def test_ends_subscriptions_that_ended_unnoticed(self, live_buyer: Buyer) -> None:
        await live_buyer.subscribe(plan="enterprise")
        (subscription,) = live_buyer.fake.account.all(StripeSubscription)
        live_buyer.fake.account.objects["subscription"].pop(subscription.id)
        (outcome,) = await reconcile(live_buyer.runtime)
        assert outcome.repaired == 1
        assert (await live_buyer.status())["plan"] == "free"

    async def test_an_outage_is_counted(self, live_buyer: Buyer) -> None:
        await live_buyer.subscribe(plan="enterprise")
        live_buyer.fake.faults.down = -1
        (outcome,) = await reconcile(live_buyer.runtime)
        assert outcome.failed > 0
        assert (await live_buyer.status())["plan"] == "enterprise"

    async def test_a_user_alone(self, buyer: Buyer, runtime: Runtime) -> None:
        await buyer.buy(plan="enterprise")
        drop_events(buyer)
        (user_id,) = (await user_ids(runtime)).values()
        assert [outcome.repaired for outcome in await sync_user(runtime, user_id)] == [1]
        assert (await buyer.status())["plan"] == "enterprise"


class TestErasure:
    async def test_ends_the_subscription_first(self, buyer: Buyer, runtime: Runtime) -> None:
        await buyer.subscribe(plan="enterprise")
        (user_id,) = (await user_ids(runtime)).values()
        assert await erase_user(runtime, user_id)

        assert [each.status for each in buyer.fake.account.all(StripeSubscription)] == ["canceled"]
        async with runtime.database.reading() as session:
            (row,) = (await session.scalars(select(Subscription))).all()
            assert (await session.scalars(select(StripeCustomer))).all() == []
        assert (row.user_id, row.claimed_user_id, row.claimed_email) == (None, None, None)

        await buyer.deliver()
        async with runtime.database.reading() as session:
            (late,) = (await session.scalars(select(Subscription))).all()
        assert (late.status, late.user_id, late.claimed_user_id, late.claimed_email) == (
            SubscriptionStatus.EXPIRED,
            None,
            None,
            None,
        )

    async def test_also_one_that_no_event_reported(self, buyer: Buyer, runtime: Runtime) -> None:
        await buyer.buy(plan="enterprise")
        (user_id,) = (await user_ids(runtime)).values()
        await erase_user(runtime, user_id)
        assert [each.status for each in buyer.fake.account.all(StripeSubscription)] == ["canceled"]

    async def test_closes_the_open_checkout(self, buyer: Buyer, runtime: Runtime) -> None:
        await buyer.checkout(plan="enterprise")
        (user_id,) = (await user_ids(runtime)).values()
        await erase_user(runtime, user_id)
        assert [each.status for each in buyer.fake.account.all(CheckoutSession)] == ["expired"]

    @pytest.mark.parametrize("status", ["refunded", "unpaid"])
    async def test_ends_one_without_access(self, buyer: Buyer, runtime: Runtime, status: str) -> None:
        await buyer.subscribe(plan="enterprise")
        (subscription,), (charge,) = buyer.fake.account.all(StripeSubscription), buyer.fake.account.all(Charge)
        if status == "refunded":
            payments.refund(buyer.fake.account, charge, None, None, {})
        else:
            subscription.status = "unpaid"
        (user_id,) = (await user_ids(runtime)).values()
        await erase_user(runtime, user_id)
        assert subscription.status == "canceled"

    async def test_succeeds_if_stripe_does_not_know_the_customer(self, buyer: Buyer, runtime: Runtime) -> None:
        await buyer.subscribe(plan="enterprise")
        # The key is that of another account.
        buyer.fake.account.objects.clear()
        assert (await buyer.get("/invoices")).json() == {"items": [], "next": None}
        (user_id,) = (await user_ids(runtime)).values()
        assert await erase_user(runtime, user_id)
        async with runtime.database.reading() as session:
            (row,) = (await session.scalars(select(Subscription))).all()
        assert (row.status, row.user_id) == (SubscriptionStatus.EXPIRED, None)

    async def test_fails_closed_and_continues_later(self, buyer: Buyer, runtime: Runtime) -> None:
        await buyer.subscribe(plan="enterprise")
        (user_id,) = (await user_ids(runtime)).values()
        buyer.fake.faults.down = -1
        with pytest.raises((ErasureBlockedError, ProviderUnavailableError)):
            await erase_user(runtime, user_id)
        assert len(await user_ids(runtime)) == 1

        buyer.fake.faults.down = 0
        async with running(make_runtime(runtime.database), background=False) as later:
            assert await erase_user(later, user_id)
        assert [each.status for each in buyer.fake.account.all(StripeSubscription)] == ["canceled"]


async def user_ids(runtime: Runtime) -> dict[str, UUID]:
    """The users' ids by address."""
    async with runtime.database.reading() as session:
        return {user.email or "": user.id for user in await session.scalars(select(User))}
