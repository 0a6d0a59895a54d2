"""The example of docs/impersonation.md."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from tests.impersonation.conftest import Person, code
from tests.pages import run_examples


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    """The application with the routes of the page."""
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("impersonation.md", names) == 1
    return create_app([*MODULES, Module(name="keys", router=names["router"])], runtime=runtime)


async def test_the_route_is_private(client: httpx.AsyncClient, user: Person, acting: dict[str, str]) -> None:
    path = "/api/v1/app/access-keys"

    assert (await client.post(path, headers=user.headers)).json() == {"key": "…"}
    assert code(await client.post(path, headers=acting)) == (403, "IMPERSONATION_NOT_ALLOWED")
