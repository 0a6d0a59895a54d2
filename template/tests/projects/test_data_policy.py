"""Export, erasure and retention of projects."""

import json
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.core.data_policy.daily_report import make_report
from app.core.data_policy.personal_data import export_user
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.projects.data_policy import RESTORE_PERIOD
from app.projects.models import Project
from app.users.erasure import erase_user
from tests.conftest import ME, SignIn

PROJECTS = "/api/v1/app/projects"


@pytest.fixture
async def owner(client: httpx.AsyncClient, sign_in: SignIn) -> UUID:
    """Somebody with two projects, one of them deleted; a stranger has one as well."""
    stranger = await sign_in(email="stranger@example.com")
    headers = await sign_in()
    await client.post(PROJECTS, headers=stranger, json={"name": "Vostok"})
    await client.post(PROJECTS, headers=headers, json={"name": "Apollo"})
    mercury = (await client.post(PROJECTS, headers=headers, json={"name": "Mercury"})).json()
    await client.delete(f"{PROJECTS}/{mercury['id']}", headers=headers)
    return UUID((await client.get(ME, headers=headers)).json()["id"])


async def names(runtime: Runtime) -> set[str]:
    async with runtime.database.reading() as session:
        return set(await session.scalars(select(col(Project.name))))


async def test_an_export_has_ones_projects_and_those_one_has_deleted(runtime: Runtime, owner: UUID) -> None:
    exported = json.loads(b"".join([piece async for piece in export_user(runtime, owner)]))

    assert [row["name"] for row in exported["tables"]["projects"]] == ["Apollo", "Mercury"]


async def test_projects_are_erased_with_their_owner(runtime: Runtime, owner: UUID) -> None:
    await erase_user(runtime, owner)

    assert await names(runtime) == {"Vostok"}


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (RESTORE_PERIOD - timedelta(days=1), {"Vostok", "Apollo", "Mercury"}),
        (RESTORE_PERIOD + timedelta(days=1), {"Vostok", "Apollo"}),
    ],
)
async def test_deleted_projects_are_removed_after_their_retention_period(
    runtime: Runtime, owner: UUID, age: timedelta, left: set[str]
) -> None:
    del owner
    async with runtime.database.transaction() as session:
        deleted = update(Project).where(col(Project.deleted_at).is_not(None))
        await session.execute(deleted.values(deleted_at=utc_now() - age))

    await cleanup_old_data(runtime)

    assert await names(runtime) == left


async def test_new_ones_are_in_the_report(runtime: Runtime, owner: UUID) -> None:
    del owner
    assert (await make_report(runtime, utc_now().date())).metrics["projects_created"] == 3
