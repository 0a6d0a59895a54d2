"""Purchases in an app store: what the tests of all stores have in common."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result
from pydantic import ValidationError

from app.auth.port import Identity
from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import utc_now
from app.core.inbox.models import InboxEvent
from app.core.runtime import Runtime
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.models import Subscription
from app.users.identities import create_user
from tests.conftest import ME, make_runtime
from tests.core.inbox.webhook_contract import drain_inbox
from tests.databases import Databases

MONTHLY, YEARLY = "com.example.pro.monthly", "com.example.pro.yearly"
ENTERPRISE = "com.example.enterprise.monthly"
BUYER = "me@example.com"


@dataclass
class StorePostman[Store, Letter](ABC):
    """Receives the notifications of a fake, and delivers them to the application when a test says so."""

    client: httpx.AsyncClient
    runtime: Runtime
    store: Store
    mailbag: list[Letter] = field(default_factory=list)

    @abstractmethod
    async def send(self, letter: Letter) -> httpx.Response:
        """Send a notification to the webhook."""

    @abstractmethod
    async def stored(self, item: Any) -> Subscription | None:  # noqa: ANN401 - of a store
        """Return the stored subscription."""

    async def deliver(self, letters: Sequence[Letter] | None = None, *, raises: bool = True) -> Sequence[InboxEvent]:
        """Deliver notifications, by default all that were collected, and process them. See `drain_inbox`."""
        batch = list(self.mailbag if letters is None else letters)
        self.mailbag.clear()
        for letter in batch:
            (await self.send(letter)).raise_for_status()
        return await drain_inbox(self.runtime, raises=raises)


def problems(caught: pytest.ExceptionInfo[ValidationError]) -> dict[str, str]:
    """Return the problems of settings, by the setting."""
    return {str(error["loc"][0]): error["msg"] for error in caught.value.errors()}


async def identity(client: httpx.AsyncClient, headers: dict[str, str]) -> UUID:
    """Return the id of the signed-in user."""
    return UUID((await client.get(ME, headers=headers)).json()["id"])


async def plan_of(runtime: Runtime, user_id: UUID, entitlements: SubscriptionEntitlements | None = None) -> str:
    """Return the name of a user's plan."""
    source = entitlements or runtime.resource(SubscriptionEntitlements)
    async with runtime.database.reading() as session:
        return await source.plan_of(session, user_id, utc_now())


@asynccontextmanager
async def runtime_of_commands(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """Yield a runtime with a user, on the database that commands find in the environment. It is not running."""
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
