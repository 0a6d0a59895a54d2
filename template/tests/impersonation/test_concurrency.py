"""Many administrators, many requests, and several instances at once."""

import asyncio
from uuid import UUID

import httpx
from sqlalchemy import func, select
from sqlmodel import col

from app.core.lifecycle import create_runtime, running
from app.core.runtime import Runtime
from app.impersonation.models import Impersonation
from app.impersonation.service import close_ended
from app.main import create_app
from app.modules import MODULES
from app.users.caller_sources import CallerSources
from app.users.roles import Role
from app.users.service import UserAdministration
from tests.conftest import ME, SignIn, make_client
from tests.impersonation.conftest import ACTIVE, START, STOP, People, code


async def test_of_many_starts_at_once_one_remains(
    live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
) -> None:
    people = People(live_client, live_runtime, live_sign_in)
    admin = await people.person("admin@example.com", Role.ADMIN)
    user = await people.person("user@example.com")
    body = {"user_id": str(user.id), "reason": "x"}
    answers = await asyncio.gather(*(live_client.post(START, headers=admin.headers, json=body) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    async with live_runtime.database.reading() as session:
        is_open = select(func.count()).where(col(Impersonation.ended_at).is_(None))
        assert await session.scalar(is_open) == 1


async def test_ends_on_every_instance_and_is_closed_once(
    live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
) -> None:
    people = People(live_client, live_runtime, live_sign_in)
    admin = await people.person("admin@example.com", Role.ADMIN)
    user = await people.person("user@example.com")
    acting = await people.start(admin, user)
    other_runtime = create_runtime(MODULES, database=live_runtime.database)
    async with running(other_runtime, background=False), make_client(create_app(runtime=other_runtime)) as other:
        assert (await other.get(ME, headers=acting)).json()["id"] == str(user.id)
        await _deactivate(live_runtime, user.id)

        closed = await asyncio.gather(*(close_ended(each) for each in (live_runtime, other_runtime) * 3))
        assert sum(closed) == 1
        assert code(await other.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        assert code(await live_client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")


async def test_work_after_a_request_notices_the_end(
    live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
) -> None:
    people = People(live_client, live_runtime, live_sign_in)
    admin = await people.person("admin@example.com", Role.ADMIN)
    user = await people.person("user@example.com")
    await people.start(admin, user)
    (item,) = (await live_client.get(ACTIVE, headers=admin.headers)).json()["items"]
    id_, sources = UUID(item["id"]), live_runtime.resource(CallerSources)
    assert not await sources.find_ended(live_runtime, [id_])

    await live_client.post(STOP, headers=admin.headers)

    assert await sources.find_ended(live_runtime, [id_]) == {id_}


async def _deactivate(runtime: Runtime, user_id: UUID) -> None:
    async with runtime.database.transaction() as session:
        await UserAdministration(session, runtime.audit).deactivate(user_id)
