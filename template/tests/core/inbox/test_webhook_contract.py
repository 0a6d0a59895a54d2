"""The webhook contract, on the webhook that docs/webhooks.md describes."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime

import httpx
import pytest
from fastapi import APIRouter, Depends, HTTPException, Request, status
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config.settings import ModuleSettings, Settings
from app.core.db.database import Database, create_database
from app.core.errors import BadRequestError
from app.core.http.dependencies import RuntimeDep
from app.core.http.rate_limit import RateLimit
from app.core.inbox.service import receive
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.manifest import Module, Payload
from app.core.module import module as core
from app.core.runtime import Runtime
from app.main import create_app
from tests.core.applications import PUBLIC
from tests.core.inbox.webhook_contract import WebhookCase, WebhookContract
from tests.databases import Databases

router = APIRouter(prefix="/webhooks", dependencies=[Depends(RateLimit("6000/minute", name="webhooks"))])


class StockSettings(ModuleSettings):
    """Settings of the webhook."""

    STOCK_WEBHOOK_SECRET: SecretStr | None = None


class InvalidSignatureError(BadRequestError):
    """The webhook's signature is invalid."""

    code = "INVALID_SIGNATURE"


@router.post("/stock", status_code=status.HTTP_202_ACCEPTED)
async def stock_webhook(request: Request, runtime: RuntimeDep) -> None:
    secret = runtime.resource(StockSettings).STOCK_WEBHOOK_SECRET
    if secret is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    expected = hmac.new(secret.get_secret_value().encode(), await request.body(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), request.headers.get("X-Signature", "").encode()):
        raise InvalidSignatureError("The signature is not valid.")
    event = await request.json()
    await receive(runtime, provider="stock", event_id=event["id"], payload={"id": event["id"]}, handler=apply)


async def apply(_runtime: Runtime, _session: AsyncSession, _payload: Payload) -> None:
    """Write nothing."""


MODULES = [core, Module(name="stock", public_router=router, settings=(StockSettings,), inbox_handlers=(apply,))]
SECRET = "a-secret-of-the-warehouse"


def event(note: str = "call +49 30 1234567") -> bytes:
    return json.dumps({"id": "evt_1", "note": note}).encode()


def sign(body: bytes, *, id_: str = "msg_1", at: datetime | None = None) -> dict[str, str]:  # noqa: ARG001 - neither is signed
    return {"X-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


def make_runtime(database: Database) -> Runtime:
    made = create_runtime(MODULES, database=database)
    assert isinstance(made.queue, InProcessQueue)
    made.queue.eager = False
    return made


def client_of(runtime: Runtime) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(MODULES, runtime=runtime), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


class TestContract(WebhookContract):
    case = WebhookCase(
        provider="stock",
        url=f"{PUBLIC}/webhooks/stock",
        secret_setting="STOCK_WEBHOOK_SECRET",
        secret=SECRET,
        event=event,
        tampered=lambda: event("ship it elsewhere"),
        sign=sign,
        withheld=("+49 30",),
        tolerance=None,
    )

    @pytest.fixture
    def runtime(self, database: Database, webhook_secret: None) -> Runtime:  # noqa: ARG002 - the order matters
        return make_runtime(database)

    @pytest.fixture
    async def client(self, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(runtime) as opened:
            yield opened

    @pytest.fixture
    async def live_runtime(self, databases: Databases, webhook_secret: None) -> AsyncIterator[Runtime]:  # noqa: ARG002
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(databases.fresh())
            database = create_database(Settings().with_database(url))
            stack.push_async_callback(database.dispose)
            yield make_runtime(database)

    @pytest.fixture
    async def live_client(self, live_runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(live_runtime) as opened:
            yield opened
