"""The contract on a provider in memory, and what no provider's fake can bring about."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import event, select
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.erasure import end_subscriptions
from app.payments.port import BillingProviders, SubscriptionSnapshot, SubscriptionStatus
from app.plans.catalog import PlanCatalog
from app.users.models import User
from tests.conftest import SignIn
from tests.payments.memory_shop import MemoryProvider, MemoryShop
from tests.payments.provider_contract import ProviderContract, add_user, plan_of, stored


class TestContract(ProviderContract):
    """The contract on the provider in memory; the fixture `shop` is in conftest.py."""


class TestParallel:
    async def test_twenty_at_once_store_the_newest_state(self, live_runtime: Runtime) -> None:
        shop, user_id = MemoryShop(), await add_user(live_runtime)
        live_runtime.resource(BillingProviders).add(shop.provider)
        id_ = await shop.sell(user_id)
        await asyncio.gather(*(converge(live_runtime, shop.provider, id_) for _ in range(4)))
        await shop.end(id_)
        await asyncio.gather(*(converge(live_runtime, shop.provider, id_) for _ in range(4)))
        assert (await stored(live_runtime)).status is SubscriptionStatus.EXPIRED
        assert await plan_of(live_runtime, user_id) == "free"

    async def test_no_connection_is_held_during_the_request(self, live_runtime: Runtime) -> None:
        held, during = [0], []
        pool = live_runtime.database.engine.pool
        event.listen(pool, "checkout", lambda *_: held.append(held[-1] + 1))
        event.listen(pool, "checkin", lambda *_: held.append(held[-1] - 1))

        class Watching(MemoryProvider):
            async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:
                during.append(held[-1])
                return await super().fetch(runtime, provider_id)

        shop = MemoryShop()
        shop.provider = Watching()
        await converge(live_runtime, shop.provider, await shop.sell(await add_user(live_runtime)))
        assert max(held) > 0
        assert during == [0]


class TestAudit:
    async def test_a_change_is_recorded_once(self, runtime: Runtime, shop: MemoryShop) -> None:
        id_ = await shop.sell(await add_user(runtime))
        with capture_logs() as logs:
            for _ in range(2):
                await converge(runtime, shop.provider, id_)
        entries = [line for line in logs if line["event"] == "audit"]
        assert [(entry["action"], entry["details"]["plan_after"]) for entry in entries] == [
            ("subscription.changed", "pro")
        ]


class TestAccess:
    async def test_the_highest_plan_of_all_counts(self, runtime: Runtime, shop: MemoryShop) -> None:
        user_id = await add_user(runtime)
        first, second = [await shop.sell(user_id, plan=plan) for plan in ("pro", "enterprise")]
        for id_ in (first, second):
            await converge(runtime, shop.provider, id_)
        assert await plan_of(runtime, user_id) == "enterprise"
        await shop.end(second)
        await converge(runtime, shop.provider, second)
        assert await plan_of(runtime, user_id) == "pro"

    @pytest.mark.parametrize("status", list(SubscriptionStatus))
    async def test_ends_by_itself_in_time(self, runtime: Runtime, shop: MemoryShop, status: SubscriptionStatus) -> None:
        user_id = await add_user(runtime)
        id_ = await shop.sell(user_id)
        shop.provider.change(id_, status=status, access_until=utc_now() - timedelta(seconds=1))
        await converge(runtime, shop.provider, id_)
        assert await plan_of(runtime, user_id) == "free"

    async def test_a_product_without_a_plan_gives_none(self, runtime: Runtime, shop: MemoryShop) -> None:
        user_id = await add_user(runtime)
        await converge(runtime, shop.provider, await shop.sell(user_id, plan=None))
        assert await plan_of(runtime, user_id) == "free"

    async def test_a_sandbox_purchase_is_worth_nothing_in_production(self, runtime: Runtime, shop: MemoryShop) -> None:
        user_id = await add_user(runtime)
        await converge(runtime, shop.provider, await shop.sell(user_id, sandbox=True))
        assert await plan_of(runtime, user_id) == "pro"
        production = SubscriptionEntitlements(catalog=runtime.resource(PlanCatalog), sandbox=False)
        async with runtime.database.reading() as session:
            assert await production.plan_of(session, user_id, utc_now()) == "free"


class TestAdoption:
    async def test_by_a_verified_address(self, runtime: Runtime, shop: MemoryShop, sign_in: SignIn) -> None:
        await converge(runtime, shop.provider, await shop.sell(None, email="New@Example.com"))
        await sign_in(email="new@example.com")
        await _verify(runtime, "new@example.com")
        await runtime.queue.drain()
        row = await stored(runtime)
        assert row.user_id is not None
        assert row.claimed_email is None

    async def test_not_by_an_unverified_address(self, runtime: Runtime, shop: MemoryShop) -> None:
        id_ = await shop.sell(None, email="new@example.com")
        async with runtime.database.transaction() as session:
            session.add(User(email="new@example.com", email_verified=False))
        await converge(runtime, shop.provider, id_)
        assert (await stored(runtime)).user_id is None

    async def test_not_by_an_address_of_two_users(self, runtime: Runtime, shop: MemoryShop) -> None:
        for _ in range(2):
            await add_user(runtime, "twin@example.com")
        await converge(runtime, shop.provider, await shop.sell(None, email="twin@example.com"))
        assert (await stored(runtime)).user_id is None

    async def test_an_ended_subscription_keeps_no_address(self, runtime: Runtime, shop: MemoryShop) -> None:
        id_ = await shop.sell(uuid7(), email="gone@example.com")
        await shop.end(id_)
        await converge(runtime, shop.provider, id_)
        row = await stored(runtime)
        assert (row.claimed_email, row.claimed_user_id) == (None, None)


class TestErasure:
    async def test_of_a_provider_whose_module_was_removed(self, runtime: Runtime, shop: MemoryShop) -> None:
        user_id = await add_user(runtime)
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        without = runtime.resource(BillingProviders)
        without._providers.pop("memory")  # noqa: SLF001 - as after the removal of the module
        with pytest.raises(LookupError, match="No payment provider is named memory"):
            await end_subscriptions(runtime, user_id)
        shop.provider.end(id_)
        await converge(runtime, shop.provider, id_)
        await end_subscriptions(runtime, user_id)


class TestRegistry:
    def test_two_providers_cannot_share_a_name(self) -> None:
        providers = BillingProviders()
        providers.add(MemoryProvider())
        with pytest.raises(ValueError, match="Two payment providers are named memory"):
            providers.add(MemoryProvider())
        with pytest.raises(LookupError, match="No payment provider is named paypal"):
            providers.get("paypal")


async def _verify(runtime: Runtime, email: str) -> None:
    async with runtime.database.transaction() as session:
        user = (await session.scalars(select(User).where(User.email == email))).one()  # type: ignore[arg-type] # a column
        user.email_verified = True
