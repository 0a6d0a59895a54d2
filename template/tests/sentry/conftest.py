"""The application with a local server in place of Sentry."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Body, Query

from app.core.errors import NotFoundError
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from tests.conftest import make_client
from tests.sentry.envelopes import Envelopes, receiving

PUBLIC = "/api/v1/public"

router = APIRouter(prefix="/shop")


@router.post("/orders/{id}")
async def fail(
    id: str,  # noqa: A002 - the name in the path
    text: Annotated[str, Query()] = "",
    body: Annotated[dict[str, str] | None, Body()] = None,
) -> None:
    """Fail, with everything that was sent in the message and in local variables."""
    local = {"nested": [id, text, body]}
    raise RuntimeError(f"{local}") from LookupError(f"{id} {text}", body)


@router.get("/missing")
async def missing() -> None:
    """Refuse a request."""
    raise NotFoundError("Nothing here.")


shop = Module(name="shop", public_router=router)


@pytest.fixture
def sample_rate() -> str:
    """SENTRY_TRACES_SAMPLE_RATE. Tests of transactions override it."""
    return "0"


@pytest.fixture(autouse=True)
def envelopes(monkeypatch: pytest.MonkeyPatch, sample_rate: str) -> Iterator[Envelopes]:
    """The reports that are sent to Sentry."""
    with receiving() as server:
        monkeypatch.setenv("SENTRY_DSN", server.dsn)
        monkeypatch.setenv("RATE_LIMIT_DEFAULT", "off")
        monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", sample_rate)
        monkeypatch.setenv("SENTRY_RELEASE", "shop@1.2.3")
        yield server


@pytest.fixture
async def shop_client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with a module whose routes fail."""
    async with make_client(create_app((*MODULES, shop), runtime=runtime)) as opened:
        yield opened
