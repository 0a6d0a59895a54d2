"""Entries of the audit log: refused tokens, roles, erasure, bulk statements."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.audit.models import AuditRecord
from app.core.db.repository import Repository
from app.core.runtime import Runtime
from app.users.erasure import erase_user
from app.users.models import User
from app.users.roles import Role
from app.users.service import UserAdministration
from tests.conftest import ME, SignIn

USERS = "/api/v1/admin/users"


class UserRows(Repository[User]):
    """Users, in bulk."""

    model = User


async def logged(runtime: Runtime, action: str) -> list[AuditRecord]:
    """The entries of an action, oldest first."""
    async with runtime.database.reading() as session:
        statement = select(AuditRecord).where(col(AuditRecord.action) == action).order_by(col(AuditRecord.id))
        return list(await session.scalars(statement))


class TestRequests:
    async def test_an_entry_has_the_actor_the_request_and_the_user_agent(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        admin, user = await sign_in(email="admin@example.com", role=Role.ADMIN), await sign_in()
        admin_id, user_id = [(await client.get(ME, headers=one)).json()["id"] for one in (admin, user)]
        headers = admin | {"User-Agent": "Firefox (me@example.com)\x7f", "X-Request-ID": "request-1"}
        await client.patch(f"{USERS}/{user_id}", headers=headers, json={"role": "admin"})

        (entry,) = await logged(runtime, "user.updated")
        assert (str(entry.actor_id), entry.target_id, entry.impersonated_id) == (admin_id, user_id, None)
        assert (entry.request_id, entry.user_agent) == ("request-1", "Firefox ([email]) ")
        assert entry.changes == {"role": ["user", "admin"]}
        assert len(entry.client or "") == 16

    async def test_an_erasure_is_recorded_and_no_address_remains(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        user_id = UUID((await client.get(ME, headers=await sign_in(email="gone@example.com"))).json()["id"])
        await erase_user(runtime, user_id)

        (entry,) = await logged(runtime, "user.erased")
        assert entry.target_id == str(user_id)
        async with runtime.database.reading() as session:
            rows = (await session.scalars(select(AuditRecord))).all()
        assert not any("gone@example.com" in str(row) for row in rows)


class TestRefusedTokens:
    @pytest.fixture(autouse=True)
    def room_for_failures(self, monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG002 - before the runtime
        monkeypatch.setenv("RATE_LIMIT_AUTH", "1000/minute")

    async def test_a_forged_token_is_recorded_without_the_token(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        await client.get(ME, headers={"Authorization": "Bearer made.up.token"})

        (entry,) = await logged(runtime, "auth.token_refused")
        assert (entry.actor_id, entry.target_type, entry.details) == (None, "token", {"reason": "format"})

    async def test_a_flood_of_them_leaves_a_few_entries(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        for _ in range(20):
            await client.get(ME, headers={"Authorization": "Bearer made.up.token"})

        assert len(await logged(runtime, "auth.token_refused")) == 5

    @pytest.mark.parametrize("change", ["deactivated", "revoked"])
    async def test_a_deactivated_user_and_a_revoked_token_are_recorded_with_the_user(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, change: str
    ) -> None:
        headers = await sign_in()
        user_id = UUID((await client.get(ME, headers=headers)).json()["id"])
        async with runtime.database.transaction() as session:
            administration = UserAdministration(session, runtime.audit)
            await (administration.deactivate if change == "deactivated" else administration.revoke_tokens)(user_id)
        await client.get(ME, headers=headers)

        (entry,) = await logged(runtime, "auth.token_refused")
        assert (entry.target_id, entry.details) == (str(user_id), {"reason": change})

    async def test_a_request_without_a_token_is_not_recorded(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await client.get(ME)

        assert await logged(runtime, "auth.token_refused") == []


class TestBulkStatements:
    async def test_name_the_table_the_fields_and_the_number_of_rows(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            users = UserRows(session)
            created = await users.create_multi([{"email": f"user{number}@example.com"} for number in range(3)])
            await users.update_multi({"full_name": "Ada"}, col(User.email) == "user1@example.com")
            await users.update_each({user.id: {"full_name": "Grace"} for user in created})
            await users.update_multi({"full_name": "Ada"}, col(User.email) == "missing@example.com")

        (creation,) = await logged(runtime, "rows.created")
        assert (creation.target_type, creation.details) == ("users", {"rows": "3"})
        assert [entry.details for entry in await logged(runtime, "rows.updated")] == [
            {"rows": "1", "fields": "full_name"},
            {"rows": "3", "fields": "full_name"},
        ]

    async def test_a_single_row_is_none(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await UserRows(session).create({"email": "one@example.com"})

        assert await logged(runtime, "rows.created") == []
