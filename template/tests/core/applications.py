"""Small applications: the core with a module or two, and settings of the test's own."""

from collections.abc import Callable
from typing import Any, Protocol

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from app.core.db.database import Database
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.core.module import module as core
from app.main import create_app

API = "/api/v1"
PUBLIC = f"{API}/public"
PEER = "198.51.100.7"


class Build(Protocol):
    """A function that creates an application."""

    def __call__(self, *modules: Module, **settings: str) -> FastAPI:
        """The settings are environment variables."""
        ...


def builder(database: Database, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Applications on a database."""

    def build(*modules: Module, **settings: str) -> FastAPI:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return create_app([core, *modules], runtime=create_runtime([core, *modules], database=database))

    return build


def module(*routes: tuple[str, str, Callable[..., Any]], **manifest: Any) -> Module:  # noqa: ANN401 - any endpoint
    """A module with public routes: `module(("GET", "/thing", read_thing))`."""
    router = APIRouter()
    for method, path, endpoint in routes:
        router.add_api_route(path, endpoint, methods=[method])
    return Module(name="small", public_router=router, **manifest)


def client_of(app: FastAPI, *, peer: str = PEER, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client that calls from an address, and gets an answer even where the application raises."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers)


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the error of a response, after checking its shape."""
    body = answer.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert list(error) == ["code", "message", "details", "request_id"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert isinstance(error["details"], dict)
    return error
