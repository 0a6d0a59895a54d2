"""Access to other users' projects, and the limit of the plan."""

from uuid import UUID

import httpx

from app.core.runtime import Runtime
from app.projects.data_policy import LEVELS
from tests.conftest import ME
from tests.core.metered import Metered
from tests.projects.requests import PROJECTS, code, create


class TestPlan:
    async def test_limits_the_number_of_projects(
        self, client: httpx.AsyncClient, owner: dict[str, str], runtime: Runtime
    ) -> None:
        plan = runtime.plans = Metered("projects", left=1)
        await create(client, owner)

        assert code(await client.post(PROJECTS, headers=owner, json={"name": "Voyager"})) == (402, "QUOTA_EXCEEDED")
        assert code(await client.post(PROJECTS, headers=owner, json={"name": ""})) == (422, "VALIDATION_ERROR")
        assert (await client.get(PROJECTS, headers=owner)).json()["total"] == 1
        assert len(plan.reserved) == 1

    async def test_ignores_deleted_projects_and_those_of_other_users(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str], runtime: Runtime
    ) -> None:
        await create(client, owner)
        deleted = await create(client, owner)
        await client.delete(f"{PROJECTS}/{deleted}", headers=owner)
        await create(client, stranger)
        user_id = UUID((await client.get(ME, headers=owner)).json()["id"])

        async with runtime.database.reading() as session:
            assert [await session.scalar(level.measure(user_id)) for level in LEVELS] == [1]


class TestStrangers:
    """Another user's project is treated as absent."""

    async def test_reading_it_is_404(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.get(url, headers=stranger)) == (404, "NOT_FOUND")

    async def test_updating_it_is_404_and_does_not_change_it(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.patch(url, headers=stranger, json={"name": "Mine"})) == (404, "NOT_FOUND")
        assert (await client.get(url, headers=owner)).json()["name"] == "Apollo"

    async def test_deleting_it_is_404_and_does_not_delete_it(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.delete(url, headers=stranger)) == (404, "NOT_FOUND")
        assert (await client.get(url, headers=owner)).status_code == 200
