"""Random histories of subscriptions.

pytest tests/stripe/histories --hypothesis-profile thorough --hypothesis-seed 1
"""

from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import HealthCheck, settings

from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from tests.conftest import SignIn
from tests.stripe.conftest import StripeServer, prepare
from tests.stripe.histories.world import Wire, World

_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile("few", max_examples=10, deadline=None, suppress_health_check=_CHECKS, database=None)
settings.register_profile("thorough", max_examples=500, deadline=None, suppress_health_check=_CHECKS, database=None)
if settings.get_current_profile_name() == "default":
    settings.load_profile("few")


@pytest.fixture
async def world(
    runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn, stripe_server: StripeServer
) -> AsyncIterator[World]:
    """The application and the fake, which a history changes. `begin` starts the next history."""
    await prepare(stripe_server, runtime)
    assert stripe_server.prepared is not None
    wire = Wire(stripe_server)
    # In this process, so that the application can be killed at each of its requests.
    http = runtime.resource(StripeApi)._http  # noqa: SLF001 - there is no other way in
    before, http._client = http._client, httpx.AsyncClient(transport=httpx.ASGITransport(app=wire))  # noqa: SLF001
    yield World(runtime=runtime, client=client, sign_in=sign_in, server=stripe_server, wire=wire)
    http._client = before  # noqa: SLF001
