"""The routes of feature flags."""

import httpx

from app.users.roles import Role
from tests.conftest import SignIn

ADMIN = "/api/v1/admin/feature-flags"
FLAGS = "/api/v1/app/feature-flags"


async def test_an_enabled_flag_is_on(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    admin = await sign_in(email="admin@example.com", role=Role.ADMIN)

    created = await client.post(ADMIN, headers=admin, json={"key": "new-editor", "enabled": True})

    assert created.status_code == 201, created.text
    assert (await client.get(FLAGS, headers=await sign_in())).json() == {"enabled": ["new-editor"]}
