"""A provider in memory, for the tests of payments themselves."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.port import Notice, ProviderUnavailableError, SubscriptionSnapshot, SubscriptionStatus


class MemoryProvider:
    """A provider whose subscriptions are a dictionary."""

    name = "memory"

    def __init__(self) -> None:
        self.subscriptions: dict[str, SubscriptionSnapshot] = {}
        self.is_down = False
        self.fetched: list[str] = []

    async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:  # noqa: ARG002 - the port's signature
        """See `BillingProvider.fetch`."""
        self._answer()
        self.fetched.append(provider_id)
        return self.subscriptions.get(provider_id)

    async def all_ids(self, runtime: Runtime) -> AsyncIterator[str]:  # noqa: ARG002 - the port's signature
        """See `BillingProvider.all_ids`."""
        self._answer()
        for id_ in list(self.subscriptions):
            yield id_

    def ids_of(self, runtime: Runtime, user_id: UUID) -> AsyncIterator[str] | None:
        """See `BillingProvider.ids_of`."""

    async def end_for_erasure(self, runtime: Runtime, subscription: Subscription) -> None:  # noqa: ARG002 - the port's signature
        """See `BillingProvider.end_for_erasure`."""
        self._answer()
        self.end(subscription.provider_id)

    def end(self, provider_id: str) -> None:
        """End a subscription."""
        self.change(provider_id, status=SubscriptionStatus.EXPIRED, access_until=None)

    def change(self, provider_id: str, **values: object) -> None:
        """Change a subscription."""
        self.subscriptions[provider_id] = replace(self.subscriptions[provider_id], **values)  # type: ignore[arg-type] # fields of the snapshot

    def _answer(self) -> None:
        if self.is_down:
            raise ProviderUnavailableError("memory is down")


class MemoryShop:
    """See `tests.payments.provider_contract.Shop`."""

    can_transfer = True
    can_cancel = True

    def __init__(self) -> None:
        self.provider = MemoryProvider()

    async def sell(
        self,
        user_id: UUID | None,
        *,
        plan: str | None = "pro",
        email: str | None = None,
        sandbox: bool = False,
        notices: tuple[Notice, ...] = (),
    ) -> str:
        """Sell a subscription."""
        id_, now = f"mem_{len(self.provider.subscriptions) + 1}", utc_now()
        self.provider.subscriptions[id_] = SubscriptionSnapshot(
            provider="memory",
            provider_id=id_,
            user_id=user_id,
            plan=plan,
            status=SubscriptionStatus.ACTIVE,
            access_until=now + timedelta(days=30),
            period_start=now,
            period_end=now + timedelta(days=30),
            taken_at=now,
            email=email,
            sandbox=sandbox,
            notices=notices,
        )
        return id_

    async def end(self, provider_id: str) -> None:
        """End a subscription."""
        self.provider.end(provider_id)

    async def give(self, provider_id: str, user_id: UUID) -> None:
        """Name another user."""
        self.provider.change(provider_id, user_id=user_id)

    def break_down(self, *, down: bool) -> None:
        """Stop or start to answer."""
        self.provider.is_down = down
