"""Fixtures: the application, connected to a fake App Store."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import httpx
import pytest

from app.apple_iap.verification import TIMEOUT, AppStoreVerifier
from app.core.runtime import Runtime
from app.dev.servers.app_store.certificates import INTERMEDIATE_OID, LEAF_OID, Chain, issue
from app.dev.servers.app_store.server import AppStoreServer
from app.dev.servers.app_store.store import APP_ID, BUNDLE_ID, AppStore
from app.dev.servers.app_store.subscriptions import Subscription
from app.payments.models import Subscription as Stored
from app.payments.repository import SubscriptionRepository
from tests.databases import Databases
from tests.payments.store_purchases import StorePostman, runtime_of_commands

WEBHOOK = "/api/v1/public/webhooks/apple"
LINK = "/api/v1/app/billing/apple/link"


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


class Postman(StorePostman[AppStore, str]):
    """Delivers the notifications of the fake App Store."""

    def collect(self, signed: str) -> bool:
        """Accept a notification from the fake."""
        self.mailbag.append(signed)
        return True

    async def send(self, letter: str) -> httpx.Response:
        """See `StorePostman.send`."""
        return await self.client.post(WEBHOOK, json={"signedPayload": letter})

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


@pytest.fixture
async def command_runtime(
    app_store: AppStore,  # noqa: ARG001 - the order matters
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Runtime]:
    """A runtime with a user, on the database that commands find in the environment. It is not running."""
    async with runtime_of_commands(databases, monkeypatch) as made:
        yield made


def verifier_of(store: AppStore, *, root_sha256: str | None = None, timeout: timedelta = TIMEOUT) -> AppStoreVerifier:
    """Return a verifier of what a fake signs."""
    return AppStoreVerifier(
        root_sha256=root_sha256 or store.chain.root.fingerprint, bundle_id=BUNDLE_ID, app_id=APP_ID, timeout=timeout
    )


@pytest.fixture
async def verifier(app_store: AppStore) -> AsyncIterator[AppStoreVerifier]:
    """A verifier of what the fake signs."""
    made = verifier_of(app_store)
    yield made
    made.close()


class Issue(Protocol):
    """Issues certificates below the genuine root, which the OCSP server knows and calls good."""

    def __call__(
        self,
        *,
        leaf: str | None = LEAF_OID,
        intermediate: str | None = INTERMEDIATE_OID,
        leaf_ends: datetime | None = None,
        intermediate_ends: datetime | None = None,
    ) -> Chain:
        """Return a chain. The arguments are Apple's extensions and the ends of validity."""
        ...


@pytest.fixture
def issued(app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> Issue:
    """Return a function that replaces the chain with which the fake signs."""

    def issue_chain(
        *,
        leaf: str | None = LEAF_OID,
        intermediate: str | None = INTERMEDIATE_OID,
        leaf_ends: datetime | None = None,
        intermediate_ends: datetime | None = None,
    ) -> Chain:
        url, root = f"{app_store.url}/ocsp", app_store.chain.root
        middle = issue(
            "Middle", root, is_authority=True, extension=intermediate, ocsp_url=url, not_after=intermediate_ends
        )
        end = issue("Leaf", middle, extension=leaf, ocsp_url=url, not_after=leaf_ends)
        chain = Chain(root=root, intermediate=middle, leaf=end)
        monkeypatch.setattr(app_store, "chain", chain)
        return chain

    return issue_chain
