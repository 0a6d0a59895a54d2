"""Fixtures: the application, connected to a fake Google Play."""

from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.runtime import Runtime
from app.dev.servers.google_play.objects import Subscription
from app.dev.servers.google_play.server import GooglePlayServer
from app.dev.servers.google_play.store import GooglePlay
from app.google_iap.models import GooglePurchase, id_of
from app.payments.models import Subscription as Stored
from app.payments.repository import SubscriptionRepository
from tests.databases import Databases
from tests.payments.store_purchases import StorePostman, runtime_of_commands

WEBHOOK = "/api/v1/public/webhooks/google"
LINK = "/api/v1/app/billing/google/link"

type Push = tuple[Mapping[str, str], bytes]


@pytest.fixture(scope="session")
def google_play_server() -> Iterator[GooglePlayServer]:
    """The server of the fake Google Play."""
    with GooglePlayServer() as server:
        yield server


@pytest.fixture
def google_play(
    environment: None,  # noqa: ARG001 - the order matters
    google_play_server: GooglePlayServer,
    monkeypatch: pytest.MonkeyPatch,
) -> GooglePlay:
    """A fake Google Play without subscriptions, which the application is connected to."""
    google_play_server.store.reset()
    for name, value in google_play_server.store.settings.items():
        monkeypatch.setenv(name, value)
    return google_play_server.store


@pytest.fixture
def runtime(google_play: GooglePlay, runtime: Runtime) -> Runtime:  # noqa: ARG001 - the order matters
    """The runtime of the connected application."""
    return runtime


@pytest.fixture
def live_runtime(google_play: GooglePlay, live_runtime: Runtime) -> Runtime:  # noqa: ARG001 - the order matters
    """The same on a database of its own."""
    return live_runtime


class Postman(StorePostman[GooglePlay, Push]):
    """Delivers the push requests of the fake Google Play."""

    def collect(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Accept a push request from the fake."""
        self.mailbag.append((headers, body))
        return True

    async def send(self, letter: Push) -> httpx.Response:
        """See `StorePostman.send`."""
        headers, body = letter
        return await self.post(body, headers)

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a push request to the webhook, by default with a valid token."""
        given = self.store.push_headers() if headers is None else headers
        return await self.client.post(WEBHOOK, content=body, headers=given)

    async def stored(self, item: Subscription) -> Stored | None:
        """Return a subscription as the application stored it."""
        return await stored_subscription(self.runtime, item.token)


@pytest.fixture
def postman(
    client: httpx.AsyncClient, runtime: Runtime, google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch
) -> Postman:
    """The delivery of notifications."""
    postman = Postman(client, runtime, google_play)
    monkeypatch.setattr(google_play, "send", postman.collect)
    return postman


async def stored_subscription(runtime: Runtime, token: str) -> Stored | None:
    """Return the stored subscription of a purchase token."""
    async with runtime.database.reading() as session:
        return await SubscriptionRepository(session).find("google", id_of(token))


async def stored_purchase(runtime: Runtime, token: str) -> GooglePurchase | None:
    """Return what is stored of a purchase token."""
    async with runtime.database.reading() as session:
        return await session.scalar(select(GooglePurchase).where(col(GooglePurchase.token) == token))


async def link(client: httpx.AsyncClient, headers: dict[str, str], token: str) -> httpx.Response:
    """Link a purchase, as a device does."""
    return await client.post(LINK, json={"purchase_token": token}, headers=headers)


@pytest.fixture
async def command_runtime(
    google_play: GooglePlay,  # noqa: ARG001 - the order matters
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Runtime]:
    """A runtime with a user, on the database that commands find in the environment. It is not running."""
    async with runtime_of_commands(databases, monkeypatch) as made:
        yield made
