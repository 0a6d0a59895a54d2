"""The rules for changes to users."""

import asyncio
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from app.core.runtime import Runtime
from app.users.errors import LastAdminError
from app.users.models import users
from app.users.repository import UserRepository
from app.users.roles import Role
from app.users.schemas import UserUpdate
from app.users.service import UserAdministration
from tests.conftest import ME, SignIn

USERS = "/api/v1/admin/users"


async def admins_left(runtime: Runtime) -> int:
    async with runtime.database.reading() as session:
        where = (users.c.role == Role.ADMIN, users.c.is_active)
        return await session.scalar(select(func.count()).select_from(users).where(*where)) or 0


class TestLastAdmin:
    @pytest.mark.parametrize("attempt", range(3))
    @pytest.mark.parametrize("how", ["demote", "deactivate"])
    async def test_two_who_concurrently_remove_each_other_leave_one(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn, how: str, attempt: int
    ) -> None:
        del attempt
        headers = [await live_sign_in(email=f"{name}@example.com", role=Role.ADMIN) for name in ("one", "two")]
        ids = [(await live_client.get(ME, headers=one)).json()["id"] for one in headers]

        def remove(actor: int, target: int) -> asyncio.Task[httpx.Response]:
            url = f"{USERS}/{ids[target]}"
            if how == "demote":
                request = live_client.patch(url, headers=headers[actor], json={"role": "user"})
            else:
                request = live_client.post(f"{url}/deactivate", headers=headers[actor])
            return asyncio.create_task(request)

        answers = await asyncio.gather(remove(0, 1), remove(1, 0))

        # Who is slower is out already, or is told that they are the last.
        assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
        assert await admins_left(live_runtime) == 1

    @pytest.mark.parametrize("change", [{"role": "user"}, {"role": "admin"}])
    async def test_an_administrator_who_is_demoted_while_waiting_changes_no_role(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn, change: dict[str, str]
    ) -> None:
        headers = [await live_sign_in(email=f"{name}@example.com", role=Role.ADMIN) for name in ("one", "two", "third")]
        ids = [UUID((await live_client.get(ME, headers=one)).json()["id"]) for one in headers]
        async with live_runtime.database.transaction() as session:
            await UserRepository(session).lock_admins()
            waiting = asyncio.create_task(live_client.patch(f"{USERS}/{ids[1]}", headers=headers[0], json=change))
            await asyncio.wait([waiting], timeout=0.2)
            assert not waiting.done()
            await UserAdministration(session, live_runtime.audit).change(ids[0], UserUpdate(role=Role.USER.value))
        answer = await waiting
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ADMIN_REQUIRED")

    async def test_the_last_one_keeps_the_role(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        await sign_in(email="gone@example.com", role=Role.ADMIN)
        headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
        me = (await client.get(ME, headers=headers)).json()
        async with runtime.database.transaction() as session:
            others = users.c.email == "gone@example.com"
            await session.execute(users.update().where(others).values(is_active=False))

        change = UserUpdate(role=Role.USER)
        async with runtime.database.transaction() as session:
            with pytest.raises(LastAdminError):
                await UserAdministration(session, runtime.audit).change(UUID(me["id"]), change)

        assert (await client.get(ME, headers=headers)).json() == me
