"""The examples of docs/roles.md work as they stand there."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.roles import AccessPolicy
from tests.conftest import ME, SignIn
from tests.users.own_roles import define_roles
from tests.users.test_assurance import bearer
from tests.users.test_commands import a_user, app_user, data, role_of

__all__ = ["data"]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "roles.md").read_text(encoding="utf-8")
DEFINITION, ROUTES, COMMANDS, SETTINGS = re.findall(r"^```\w*\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TICKETS = "/api/v1/app/tickets"


def defined(source: str) -> dict[str, Any]:
    """Return the names that an example defines."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(source, names)  # noqa: S102 - our own page
    return names


@pytest.fixture(autouse=True)
def settings_of_the_page(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG001 - before the runtime
    names = defined(DEFINITION)
    define_roles(monkeypatch, *names["ROLES"], permissions=names["PERMISSIONS"])
    for line in SETTINGS.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    return create_app([*MODULES, Module(name="tickets", router=defined(ROUTES)["router"])], runtime=runtime)


async def test_the_routes_admit_the_roles(client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn) -> None:
    assert {"support", "analyst"} <= set(runtime.resource(AccessPolicy).roles)
    answers = {}
    for role in ("user", "analyst", "support", "admin"):
        headers = await sign_in(email=f"{role}@example.com", role=role)
        read = await client.get(TICKETS, headers=headers)
        close = await client.post(f"{TICKETS}/close-all", headers=headers)
        answers[role] = (read.status_code, close.status_code)

    assert answers == {"user": (403, 403), "analyst": (200, 403), "support": (200, 200), "admin": (200, 200)}


async def test_the_settings_map_a_claim(client: httpx.AsyncClient, runtime: Runtime) -> None:
    headers = bearer(runtime, app_metadata={"role": "Helpdesk"})

    assert (await client.get(ME, headers=headers)).json()["role"] == "support"


async def test_the_commands_grant_and_revoke(data: Runtime) -> None:
    for name in ("me", "someone"):
        await a_user(data, name, f"{name}@example.com")
    await app_user("grant", "someone@example.com", "support")

    for line in COMMANDS.splitlines():
        result = await app_user(*line.removeprefix("uv run app user ").split())
        assert result.exit_code == 0, result.output

    assert [await role_of(data, name) for name in ("me", "someone")] == ["admin", "user"]
