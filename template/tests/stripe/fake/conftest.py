"""The fake of Stripe in this process, and the client that users have: Stripe's own library."""

from collections.abc import AsyncIterator

import pytest
import stripe

from app.dev.servers.stripe.fake import SECRET_KEY, StripeFake
from tests.stripe.fake.shop import Shop
from tests.stripe.fake.wire import InProcess, browser


@pytest.fixture
def fake() -> StripeFake:
    """A fake without a port."""
    return StripeFake()


@pytest.fixture
async def client(fake: StripeFake) -> AsyncIterator[stripe.StripeClient]:
    """A client of the fake."""
    async with browser(fake) as http:
        yield stripe.StripeClient(
            SECRET_KEY,
            http_client=InProcess(http),
            base_addresses={"api": fake.account.base_url},
            max_network_retries=0,
        )


@pytest.fixture
async def shop(fake: StripeFake, client: stripe.StripeClient) -> AsyncIterator[Shop]:
    """A shop at the fake."""
    async with browser(fake) as customer:
        yield await Shop.open(client, customer)
