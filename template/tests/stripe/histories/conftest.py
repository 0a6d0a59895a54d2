"""Random histories of subscriptions.

HYPOTHESIS_PROFILE=thorough pytest tests/stripe/histories --hypothesis-seed 1
"""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.stripe.settings import StripeSettings
from tests.conftest import SignIn
from tests.stripe.conftest import StripeServer, prepare
from tests.stripe.histories.oracle import GRACE_DAYS
from tests.stripe.histories.world import Wire, World


@pytest.fixture(autouse=True)
def grace(stripe_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    """A grace period that a history outlasts."""
    monkeypatch.setenv("STRIPE_GRACE_DAYS", str(GRACE_DAYS))


@pytest.fixture
async def world(
    grace: None,  # noqa: ARG001 - the order matters
    live_runtime: Runtime,
    live_client: httpx.AsyncClient,
    live_sign_in: SignIn,
    stripe_server: StripeServer,
) -> AsyncIterator[World]:
    """The application and the fake, which a history changes. `begin` starts the next history."""
    assert live_runtime.resource(StripeSettings).STRIPE_GRACE_DAYS == GRACE_DAYS
    await prepare(stripe_server, live_runtime)
    assert stripe_server.prepared is not None
    wire = Wire(stripe_server)
    # In this process, so that the application can be killed at each of its requests.
    http = live_runtime.resource(StripeApi)._http  # noqa: SLF001 - there is no other way in
    before, http._client = http._client, httpx.AsyncClient(transport=httpx.ASGITransport(app=wire))  # noqa: SLF001
    yield World(runtime=live_runtime, client=live_client, sign_in=live_sign_in, server=stripe_server, wire=wire)
    http._client = before  # noqa: SLF001
