"""Every route of the app and admin areas has its guard, those of your own modules included."""

import re
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.core.config.settings import Settings
from tests.conftest import SignIn

pytestmark = pytest.mark.every_module

UNCOUNTED = frozenset({"HEAD", "OPTIONS"})


@pytest.fixture(autouse=True)
def room_for_many_requests(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG001 - before the runtime
    monkeypatch.setenv("RATE_LIMIT_DEFAULT", "10000/minute")


def guarded(app: FastAPI, settings: Settings, area: str) -> list[tuple[str, str]]:
    """Method and path of every route of the area, with an id wherever the path wants something."""
    prefix = f"{settings.API_V1_STR}/{area}/"
    return [
        (method, re.sub(r"{[^}]*}", str(uuid4()), context.path))
        for context in iter_route_contexts(app.routes)
        for method in sorted((context.methods or set()) - UNCOUNTED)
        if context.path and context.path.startswith(prefix)
    ]


class TestAppArea:
    async def test_every_route_is_401_without_a_token(
        self, client: httpx.AsyncClient, app: FastAPI, settings: Settings
    ) -> None:
        routes = guarded(app, settings, "app")
        answers = {route: (await client.request(*route)).status_code for route in routes}

        assert ("PATCH", f"{settings.API_V1_STR}/app/users/me") in answers
        assert set(answers.values()) == {401}, answers

    async def test_every_route_is_401_with_an_invalid_token(
        self, client: httpx.AsyncClient, app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "headers", {"Authorization": "Bearer made.up.token"})
        answers = {}
        for route in guarded(app, settings, "app"):
            answers[route] = (await client.request(*route)).status_code

        assert set(answers.values()) <= {401, 429}, answers


class TestAdminArea:
    async def test_every_route_is_401_without_a_token(
        self, client: httpx.AsyncClient, app: FastAPI, settings: Settings
    ) -> None:
        routes = guarded(app, settings, "admin")
        answers = {route: (await client.request(*route)).status_code for route in routes}

        assert ("GET", f"{settings.API_V1_STR}/admin/users") in answers
        assert set(answers.values()) == {401}, answers

    async def test_every_route_is_403_for_a_plain_user(
        self, client: httpx.AsyncClient, app: FastAPI, settings: Settings, sign_in: SignIn
    ) -> None:
        headers = await sign_in()
        routes = guarded(app, settings, "admin")
        answers = {route: (await client.request(*route, headers=headers)).status_code for route in routes}

        assert set(answers.values()) == {403}, answers


class TestSchema:
    async def test_marks_the_routes_that_require_a_token(self, app: FastAPI, settings: Settings) -> None:
        private = (f"{settings.API_V1_STR}/app/", f"{settings.API_V1_STR}/admin/")

        for path, operations in app.openapi()["paths"].items():
            for operation in operations.values():
                # A public route may have a token of its own kind.
                assert ({"token": []} in operation.get("security", [])) is path.startswith(private), path
