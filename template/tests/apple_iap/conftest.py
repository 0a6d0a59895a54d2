"""Fixtures: the application, connected to a fake App Store."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result

from app.auth.port import Identity
from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import utc_now
from app.core.inbox.models import InboxEvent
from app.core.runtime import Runtime
from app.dev.servers.app_store.server import AppStoreServer
from app.dev.servers.app_store.store import AppStore
from app.dev.servers.app_store.subscriptions import Subscription
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.models import Subscription as Stored
from app.payments.repository import SubscriptionRepository
from app.users.identities import create_user
from tests.conftest import ME, make_runtime
from tests.core.inbox.webhook_contract import drain_inbox
from tests.databases import Databases

WEBHOOK = "/api/v1/public/webhooks/apple"
LINK = "/api/v1/app/billing/apple/link"
MONTHLY, YEARLY = "com.example.pro.monthly", "com.example.pro.yearly"
ENTERPRISE = "com.example.enterprise.monthly"
BUYER = "me@example.com"


@pytest.fixture(scope="session")
def app_store_server() -> Iterator[AppStoreServer]:
    """The server of the fake App Store."""
    with AppStoreServer() as server:
        yield server


@pytest.fixture
def app_store(
    environment: None,  # noqa: ARG001 - the order matters
    app_store_server: AppStoreServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AppStore:
    """A fake App Store without subscriptions, which the application is connected to."""
    app_store_server.store.reset()
    for name, value in app_store_server.store.settings.items():
        monkeypatch.setenv(name, value)
    return app_store_server.store


@pytest.fixture
def runtime(app_store: AppStore, runtime: Runtime) -> Runtime:  # noqa: ARG001 - the order matters
    """The runtime of the connected application."""
    return runtime


@pytest.fixture
def live_runtime(app_store: AppStore, live_runtime: Runtime) -> Runtime:  # noqa: ARG001 - the order matters
    """The same on a database of its own."""
    return live_runtime


@dataclass
class Postman:
    """Receives the notifications of the fake, and delivers them to the application when a test says so."""

    client: httpx.AsyncClient
    runtime: Runtime
    store: AppStore
    mailbag: list[str] = field(default_factory=list)

    def collect(self, signed: str) -> bool:
        """Accept a notification from the fake."""
        self.mailbag.append(signed)
        return True

    async def deliver(self, signed: Sequence[str] | None = None) -> Sequence[InboxEvent]:
        """Deliver notifications, by default all that were collected, and process them."""
        batch = list(self.mailbag if signed is None else signed)
        self.mailbag.clear()
        for each in batch:
            (await self.post(each)).raise_for_status()
        return await drain_inbox(self.runtime)

    async def post(self, signed: str) -> httpx.Response:
        """Send a notification to the webhook."""
        return await self.client.post(WEBHOOK, json={"signedPayload": signed})

    async def stored(self, item: Subscription) -> Stored | None:
        """Return a subscription as the application stored it."""
        async with self.runtime.database.reading() as session:
            return await SubscriptionRepository(session).find("apple", item.original_id)


@pytest.fixture
def postman(
    client: httpx.AsyncClient, runtime: Runtime, app_store: AppStore, monkeypatch: pytest.MonkeyPatch
) -> Postman:
    """The delivery of notifications."""
    postman = Postman(client, runtime, app_store)
    monkeypatch.setattr(app_store, "send", postman.collect)
    return postman


async def identity(client: httpx.AsyncClient, headers: dict[str, str]) -> UUID:
    """Return the id of the signed-in user."""
    return UUID((await client.get(ME, headers=headers)).json()["id"])


async def plan_of(runtime: Runtime, user_id: UUID, entitlements: SubscriptionEntitlements | None = None) -> str:
    """Return the name of a user's plan."""
    source = entitlements or runtime.resource(SubscriptionEntitlements)
    async with runtime.database.reading() as session:
        return await source.plan_of(session, user_id, utc_now())


@pytest.fixture
async def command_runtime(
    app_store: AppStore,  # noqa: ARG001 - the order matters
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
