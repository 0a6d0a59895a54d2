"""The contract of payment providers, on Stripe."""

from uuid import UUID

import pytest

from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.payments.port import BillingProvider
from app.stripe.api import StripeApi
from app.stripe.provider import StripeProvider
from tests.payments.provider_contract import ProviderContract, Shop


class StripeShop:
    """Sells by the API, as an operator does."""

    can_transfer = True
    can_cancel = True

    def __init__(self, runtime: Runtime, fake: StripeFake) -> None:
        self.provider: BillingProvider = runtime.resource(StripeProvider)
        self._api = runtime.resource(StripeApi)
        self._fake = fake

    async def sell(self, user_id: UUID | None) -> str:
        """See `Shop.sell`."""
        metadata = {} if user_id is None else {"user_id": str(user_id)}
        customer = await self._api.create_customer({}, key="")
        (price,) = await self._api.prices(["pro_monthly"])
        made = await self._api.call(
            lambda client: client.v1.subscriptions.create_async(
                {
                    "customer": customer.id,
                    "items": [{"price": price.id}],
                    "trial_period_days": 14,
                    "metadata": metadata,
                }
            )
        )
        return str(made["id"])

    async def end(self, provider_id: str) -> None:
        """See `Shop.end`."""
        await self._api.cancel_subscription(provider_id)

    async def give(self, provider_id: str, user_id: UUID) -> None:
        """See `Shop.give`."""
        await self._api.update_subscription(provider_id, {"metadata": {"user_id": str(user_id)}})

    def break_down(self, *, down: bool) -> None:
        """See `Shop.break_down`."""
        self._fake.faults.down = -1 if down else 0


class TestContract(ProviderContract):
    @pytest.fixture
    def shop(self, runtime: Runtime, stripe_fake: StripeFake) -> Shop:
        return StripeShop(runtime, stripe_fake)
