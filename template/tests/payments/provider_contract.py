"""The contract of every payment provider: whatever happens to its events, the stored state ends equal to its own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol
from uuid import UUID

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.payments import reconciliation
from app.payments.adoption import adopt_parked
from app.payments.convergence import converge
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.erasure import ErasureBlockedError, end_subscriptions
from app.payments.models import Subscription
from app.payments.port import GIVES_ACCESS, BillingProvider, ProviderUnavailableError, SubscriptionSnapshot
from app.payments.reconciliation import reconcile_provider
from app.users.models import User


class Shop(Protocol):
    """The provider under test, with a fake of its server."""

    provider: BillingProvider
    can_transfer: bool
    """Whether the provider can name another user later."""
    can_cancel: bool
    """Whether the provider lets us end a subscription."""

    async def sell(self, user_id: UUID | None) -> str:
        """Sell a subscription of the plan `pro` or higher at the provider, and return its id.

        Args:
            user_id: the user whom the provider names, if any.
        """
        ...

    async def end(self, provider_id: str) -> None:
        """End a subscription at the provider, at once."""
        ...

    async def give(self, provider_id: str, user_id: UUID) -> None:
        """Name another user at the provider, if it can."""
        ...

    def break_down(self, *, down: bool) -> None:
        """Stop or start to answer."""
        ...


class Interrupted:
    """A provider whose first answer is late: it is used after others have changed the row."""

    def __init__(self, provider: BillingProvider) -> None:
        self._provider = provider
        self.has_fetched, self.may_return = asyncio.Event(), asyncio.Event()
        self.name = provider.name

    async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:
        """Fetch at once, and return late."""
        snapshot = await self._provider.fetch(runtime, provider_id)
        self.has_fetched.set()
        await self.may_return.wait()
        return snapshot

    def all_ids(self, runtime: Runtime) -> AsyncIterator[str] | None:
        """See `BillingProvider.all_ids`."""
        return self._provider.all_ids(runtime)

    def ids_of(self, runtime: Runtime, user_id: UUID) -> AsyncIterator[str] | None:
        """See `BillingProvider.ids_of`."""
        return self._provider.ids_of(runtime, user_id)

    async def end_for_erasure(self, runtime: Runtime, subscription: Subscription) -> None:
        """See `BillingProvider.end_for_erasure`."""
        await self._provider.end_for_erasure(runtime, subscription)


async def add_user(runtime: Runtime, email: str = "buyer@example.com", user_id: UUID | None = None) -> UUID:
    """Add a user who verified an address."""
    user = User(id=user_id or uuid7(), email=email, email_verified=True)
    async with runtime.database.transaction() as session:
        session.add(user)
    return user.id


async def plan_of(runtime: Runtime, user_id: UUID) -> str:
    """Return a user's plan."""
    async with runtime.database.reading() as session:
        return await runtime.resource(SubscriptionEntitlements).plan_of(session, user_id, utc_now())


async def stored(runtime: Runtime) -> Subscription:
    """Return the only stored subscription."""
    async with runtime.database.reading() as session:
        return (await session.scalars(select(Subscription))).one()


class ProviderContract:
    """Subclass with a fixture `shop`, which returns a `Shop`."""

    @pytest.fixture(autouse=True)
    def one_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tests' database is one connection."""
        monkeypatch.setattr(reconciliation, "CONCURRENCY", 1)

    @pytest.fixture
    async def user_id(self, runtime: Runtime) -> UUID:
        """The user who buys."""
        return await add_user(runtime)

    async def test_a_purchase_gives_the_plan(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        assert await plan_of(runtime, user_id) == "free"
        id_ = await shop.sell(user_id)
        row = await converge(runtime, shop.provider, id_)

        assert row is not None
        assert (row.provider, row.provider_id, row.user_id) == (shop.provider.name, id_, user_id)
        assert row.status in GIVES_ACCESS
        assert await plan_of(runtime, user_id) == row.plan != "free"

    async def test_repetition_changes_nothing(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        id_ = await shop.sell(user_id)
        rows = [await converge(runtime, shop.provider, id_) for _ in range(3)]
        states = [reconciliation.state_of(row) for row in rows]
        assert states[0] == states[1] == states[2]
        assert (await stored(runtime)).version == 3

    async def test_the_end_ends_access(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        await shop.end(id_)
        await converge(runtime, shop.provider, id_)
        assert await plan_of(runtime, user_id) == "free"

    async def test_an_older_answer_does_not_replace_a_newer_one(
        self, runtime: Runtime, shop: Shop, user_id: UUID
    ) -> None:
        id_ = await shop.sell(user_id)
        late = Interrupted(shop.provider)
        waiting = asyncio.create_task(converge(runtime, late, id_))
        await late.has_fetched.wait()
        await shop.end(id_)
        await converge(runtime, shop.provider, id_)
        late.may_return.set()
        await waiting
        assert await plan_of(runtime, user_id) == "free"

    async def test_an_outage_changes_nothing(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        shop.break_down(down=True)
        with pytest.raises(ProviderUnavailableError):
            await converge(runtime, shop.provider, id_)
        assert await plan_of(runtime, user_id) != "free"
        assert (await stored(runtime)).version == 1

    async def test_a_purchase_without_a_user_is_parked(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        await converge(runtime, shop.provider, await shop.sell(None))
        assert (await stored(runtime)).user_id is None
        assert await plan_of(runtime, user_id) == "free"

    async def test_a_purchase_for_a_later_user_is_adopted(self, runtime: Runtime, shop: Shop) -> None:
        later = uuid7()
        id_ = await shop.sell(later)
        await converge(runtime, shop.provider, id_)
        assert (await stored(runtime)).claimed_user_id == later

        await add_user(runtime, user_id=later)
        assert await adopt_parked(runtime, later) == 1
        assert await plan_of(runtime, later) != "free"
        await converge(runtime, shop.provider, id_)
        assert (await stored(runtime)).user_id == later

    async def test_access_moves_with_the_purchase(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        other = await add_user(runtime, "other@example.com")
        await shop.give(id_, other)
        await converge(runtime, shop.provider, id_)
        plans = [await plan_of(runtime, user) != "free" for user in (user_id, other)]
        assert plans == ([False, True] if shop.can_transfer else [True, False])

    async def test_a_lost_event_is_repaired(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        await shop.end(id_)
        outcomes = [await reconcile_provider(runtime, shop.provider) for _ in range(2)]
        assert [(each.checked, each.repaired, each.failed) for each in outcomes] == [(1, 1, 0), (1, 0, 0)]
        assert await plan_of(runtime, user_id) == "free"

    async def test_an_erasure_ends_the_subscription(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        for _ in range(2):
            await end_subscriptions(runtime, user_id)
        await converge(runtime, shop.provider, id_)
        assert (await plan_of(runtime, user_id) == "free") == shop.can_cancel

    async def test_an_ended_subscription_does_not_stop_the_erasure(
        self, runtime: Runtime, shop: Shop, user_id: UUID
    ) -> None:
        id_ = await shop.sell(user_id)
        await converge(runtime, shop.provider, id_)
        await shop.end(id_)
        await end_subscriptions(runtime, user_id)
        assert await plan_of(runtime, user_id) == "free"

    async def test_an_outage_stops_the_erasure(self, runtime: Runtime, shop: Shop, user_id: UUID) -> None:
        await converge(runtime, shop.provider, await shop.sell(user_id))
        shop.break_down(down=True)
        with pytest.raises((ErasureBlockedError, ProviderUnavailableError)):
            await end_subscriptions(runtime, user_id)
        assert await plan_of(runtime, user_id) != "free"
