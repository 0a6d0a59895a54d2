"""Every admin route that changes something leaves an entry in the audit trail, those of your own modules included."""

import httpx
import pytest
from fastapi import FastAPI

from app.core.runtime import Runtime
from app.users.roles import Role
from tests.conftest import SignIn
from tests.users.admin_walk import Scene, walk
from tests.users.audits import MemoryAudit

pytestmark = pytest.mark.every_module


async def test_every_change_is_recorded(
    runtime: Runtime, client: httpx.AsyncClient, app: FastAPI, sign_in: SignIn
) -> None:
    headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
    runtime.audit = audit = MemoryAudit()
    without_entry = []
    async for route, _ in walk(Scene(runtime=runtime, client=client, headers=headers), app):
        if not any(entry.actor_id is not None for entry in audit.entries):
            without_entry.append(route)
        audit.entries.clear()

    assert without_entry == [], "Call `runtime.audit.record` in the transaction of the change."
