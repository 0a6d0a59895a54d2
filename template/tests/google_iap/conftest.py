"""Fixtures: the application, connected to a fake Google Play."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlmodel import col

from app.auth.port import Identity
from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import utc_now
from app.core.inbox.models import InboxEvent
from app.core.runtime import Runtime
from app.dev.servers.google_play.server import GooglePlayServer
from app.dev.servers.google_play.store import GooglePlay
from app.dev.servers.google_play.subscriptions import Subscription
from app.google_iap.models import GooglePurchase, id_of
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.models import Subscription as Stored
from app.payments.repository import SubscriptionRepository
from app.users.identities import create_user
from tests.conftest import ME, make_runtime
from tests.core.inbox.webhook_contract import drain_inbox
from tests.databases import Databases

WEBHOOK = "/api/v1/public/webhooks/google"
LINK = "/api/v1/app/billing/google/link"
MONTHLY, YEARLY = "com.example.pro.monthly", "com.example.pro.yearly"
ENTERPRISE = "com.example.enterprise.monthly"
BUYER = "me@example.com"

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


@dataclass
class Postman:
    """Receives the push requests of the fake, and delivers them to the application when a test says so."""

    client: httpx.AsyncClient
    runtime: Runtime
    store: GooglePlay
    mailbag: list[Push] = field(default_factory=list)

    def collect(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Accept a push request from the fake."""
        self.mailbag.append((headers, body))
        return True

    async def deliver(self, pushes: Sequence[Push] | None = None) -> Sequence[InboxEvent]:
        """Deliver push requests, by default all that were collected, and process them."""
        batch = list(self.mailbag if pushes is None else pushes)
        self.mailbag.clear()
        for headers, body in batch:
            (await self.post(body, headers)).raise_for_status()
        return await drain_inbox(self.runtime)

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


async def identity(client: httpx.AsyncClient, headers: dict[str, str]) -> UUID:
    """Return the id of the signed-in user."""
    return UUID((await client.get(ME, headers=headers)).json()["id"])


async def plan_of(runtime: Runtime, user_id: UUID, entitlements: SubscriptionEntitlements | None = None) -> str:
    """Return the name of a user's plan."""
    source = entitlements or runtime.resource(SubscriptionEntitlements)
    async with runtime.database.reading() as session:
        return await source.plan_of(session, user_id, utc_now())


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
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        # Nothing listens there: the notifications are lost.
        monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:1")
        made = make_runtime(create_database(Settings()))
        await create_user(made, Identity(provider="test", subject="me", email=BUYER, email_verified=True, name=None))
        yield made
        await made.database.dispose()


async def run_command(*arguments: str) -> Result:
    """Run the command `app` in a thread, since it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, arguments)
