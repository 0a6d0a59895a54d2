"""Stripe in the tests: the fake that `app dev` starts, on a loopback port, with a fresh account for each test."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.core.runtime import Runtime
from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.fake import SECRET_KEY, WEBHOOK_SECRET, StripeFake
from app.dev.servers.stripe.webhooks import Message
from app.kit.resilience.resilient import Resilient
from app.stripe.api import StripeApi
from app.stripe.errors import is_transient, retry_after
from app.stripe.setup import StripeSetup
from tests.conftest import ME, SignIn

BILLING = "/api/v1/app/billing"
WEBHOOK = "http://testserver/api/v1/public/webhooks/stripe"


class StripeServer:
    """A server on a fixed port. Each test gets an account of its own, since the port is part of the settings."""

    def __init__(self) -> None:
        self.url = ""
        self.fake = StripeFake()
        self.prepared: Account | None = None
        """An account as `app billing setup` leaves it. Tests get copies."""

    def reset(self, account: Account | None = None) -> StripeFake:
        """Begin a new account."""
        self.fake = StripeFake(copy.deepcopy(account))
        self.fake.account.base_url = self.url
        self.fake.faults.deliver = False
        return self.fake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request with the current account."""
        await self.fake.app(scope, receive, send)


@pytest.fixture(scope="session")
async def stripe_server() -> AsyncIterator[StripeServer]:
    """The server of the fake, in the tests' own event loop: threads would take turns with each request."""
    served = StripeServer()
    config = uvicorn.Config(served, log_config=None, access_log=False, lifespan="off")
    config.load()
    state = ServerState()
    protocol = cast("Callable[..., asyncio.Protocol]", config.http_protocol_class)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), host="127.0.0.1", port=0
    )
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield served
    for connection in list(state.connections):
        connection.shutdown()
    server.close()


@pytest.fixture(autouse=True)
def stripe_settings(environment: None, stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    """Settings that lead to the fake, with an empty account."""
    stripe_server.reset()
    monkeypatch.setenv("STRIPE_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET)
    monkeypatch.setenv("STRIPE_API_BASE", stripe_server.url)


async def prepare(server: StripeServer, runtime: Runtime) -> StripeFake:
    """Begin an account with the products and prices of plans.toml, and with our webhook. Retries don't wait."""
    runtime.resource(StripeApi)._resilient = Resilient(  # noqa: SLF001 - there is no other way in
        "stripe", transient=is_transient, retry_after=retry_after, initial_backoff=timedelta(0)
    )
    if server.prepared is None:
        fake = server.reset()
        for change in await runtime.resource(StripeSetup).changes(runtime):
            await change.apply()
        fake.account.deliveries.clear()
        fake.account.objects.pop("webhook_endpoint", None)
        server.prepared = fake.account
    fake = server.reset(server.prepared)
    fake.listen(WEBHOOK)
    return fake


@pytest.fixture
async def stripe_fake(stripe_server: StripeServer, runtime: Runtime) -> StripeFake:
    """The fake, with a prepared account. Its events wait for `Buyer.deliver`."""
    return await prepare(stripe_server, runtime)


@dataclass
class Buyer:
    """A user who buys."""

    client: httpx.AsyncClient
    runtime: Runtime
    fake: StripeFake
    headers: dict[str, str]
    user_id: str

    async def checkout(self, **body: object) -> httpx.Response:
        """Ask for a checkout."""
        return await self.post("/checkout", {"plan": "pro", **body})

    async def buy(self, *, card: str = "4242", **body: object) -> str:
        """Go through a checkout, and return the session's id. The events wait."""
        response = await self.checkout(**body)
        assert response.status_code == 200, response.text
        session = response.json()
        await submit(session["url"], card=card)
        return str(session["session_id"])

    async def sync(self, session_id: str) -> httpx.Response:
        """Do what the success page does."""
        return await self.post(f"/checkout/{session_id}/sync")

    async def subscribe(self, *, card: str = "4242", **body: object) -> dict[str, Any]:
        """Buy, process all events, and return the subscription."""
        await self.buy(card=card, **body)
        await self.deliver()
        (subscription, *_) = (await self.status())["subscriptions"]
        return dict(subscription)

    async def deliver(self) -> int:
        """Deliver the events that wait, and process them."""

        async def post(message: Message) -> int:
            return (await self.client.post(message.url, content=message.body, headers=message.headers)).status_code

        delivered = await self.fake.deliver(post)
        await self.runtime.queue.drain()
        return delivered

    async def status(self) -> dict[str, Any]:
        """Return the plan and the subscriptions."""
        response = await self.get("/status")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def get(self, path: str, **params: str | int) -> httpx.Response:
        """Send a GET request."""
        return await self.client.get(f"{BILLING}{path}", headers=self.headers, params=params)

    async def post(self, path: str, body: object = None) -> httpx.Response:
        """Send a POST request."""
        return await self.client.post(f"{BILLING}{path}", headers=self.headers, json=body)


async def submit(url: str, *, card: str = "4242", action: str = "pay") -> httpx.Response:
    """Submit the form of a page of the fake."""
    async with httpx.AsyncClient() as browser:
        return await browser.post(url, data={"card": card, "action": action})


async def make_buyer(
    client: httpx.AsyncClient, runtime: Runtime, fake: StripeFake, sign_in: SignIn, email: str = "user@example.com"
) -> Buyer:
    """Sign a buyer in."""
    headers = await sign_in(email=email)
    me = await client.get(ME, headers=headers)
    await runtime.queue.drain()
    return Buyer(client, runtime, fake, headers, me.json()["id"])


@pytest.fixture
async def buyer(client: httpx.AsyncClient, runtime: Runtime, stripe_fake: StripeFake, sign_in: SignIn) -> Buyer:
    """A user who has bought nothing."""
    return await make_buyer(client, runtime, stripe_fake, sign_in)
