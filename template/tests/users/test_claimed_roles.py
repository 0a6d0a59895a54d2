"""Roles from the token, which a setting must map."""

import httpx
import pytest
from fastapi import FastAPI

from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.roles import AccessPolicy, Role, RoleDefinition
from tests.conftest import ME, SignIn
from tests.users.own_roles import define_roles
from tests.users.test_assurance import bearer
from tests.users.test_role_guards import POLICY, TICKETS, tickets


@pytest.fixture(autouse=True)
def mapping(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG001 - before the runtime
    define_roles(monkeypatch, RoleDefinition("support"), RoleDefinition("analyst"))
    monkeypatch.setenv("AUTH_ROLE_CLAIM", "app_metadata.role")
    monkeypatch.setenv("AUTH_ROLE_MAPPING", '{"Helpdesk": "support", "BI": "analyst"}')


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    runtime.provide(AccessPolicy, POLICY)
    return create_app([*MODULES, tickets], runtime=runtime)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"app_metadata": {"role": "Helpdesk"}}, "support"),
        ({"app_metadata": {"role": ["other", "BI", "Helpdesk"]}}, "support"),
        ({"app_metadata.role": "BI"}, "analyst"),
        ({"app_metadata": {"role": "support"}}, "user"),
        ({"app_metadata": {"role": "helpdesk"}}, "user"),
        ({"app_metadata": {"role": {"Helpdesk": True}}}, "user"),
        ({"app_metadata": {"role": [["Helpdesk"]]}}, "user"),
        ({"app_metadata": "Helpdesk"}, "user"),
        ({"role": "Helpdesk"}, "user"),
        ({"user_metadata": {"role": "Helpdesk"}}, "user"),
        ({}, "user"),
    ],
    ids=str,
)
async def test_only_the_mapped_claim_counts(
    client: httpx.AsyncClient, runtime: Runtime, claims: dict[str, object], role: str
) -> None:
    headers = bearer(runtime, **claims)

    assert (await client.get(ME, headers=headers)).json()["role"] == role
    assert (await client.get(TICKETS, headers=headers)).status_code == (403 if role == "user" else 200)
    assert (await client.get(ME, headers=bearer(runtime))).json()["role"] == "user", "nothing is stored"


async def test_a_role_in_the_database_takes_precedence(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
) -> None:
    await sign_in(email="user@example.com", role=Role.ADMIN)
    headers = bearer(runtime, app_metadata={"role": "BI"})

    assert (await client.get(ME, headers=headers)).json()["role"] == "admin"
