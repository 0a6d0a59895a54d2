"""The fake of Stripe, and the client that users have: Stripe's own library."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stripe

from app.dev.servers.stripe.fake import SECRET_KEY, StripeFake
from app.stripe.http import StripeHttpClient


@pytest.fixture
def fake() -> Iterator[StripeFake]:
    """A fake that serves on a loopback port."""
    one = StripeFake()
    with one.serving():
        yield one


@pytest.fixture
async def client(fake: StripeFake) -> AsyncIterator[stripe.StripeClient]:
    """A client of the fake."""
    http = StripeHttpClient()
    yield stripe.StripeClient(
        SECRET_KEY, http_client=http, base_addresses={"api": fake.account.base_url}, max_network_retries=2
    )
    await http.close_async()
