"""The routes for creating, reading, updating and deleting a project."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.runtime import Runtime
from app.projects.repository import ProjectRepository
from tests.conftest import SignIn
from tests.projects.requests import PROJECTS, code, create

BAD_NAMES = ["", "   ", "a\0b", "two\nlines", "x" * 201, "x" * 500_000, None, 7, {"a": 1}]


class TestCreate:
    async def test_returns_the_project(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        answer = await client.post(PROJECTS, headers=owner, json={"name": " Apollo ", "description": "To the\nmoon"})

        assert answer.status_code == 201
        project = answer.json()
        assert project.keys() == {"id", "name", "description", "created_at", "updated_at"}
        assert (project["name"], project["description"]) == ("Apollo", "To the\nmoon")
        assert (await client.get(f"{PROJECTS}/{project['id']}", headers=owner)).json() == project

    @pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:12])
    async def test_an_invalid_name_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], name: object
    ) -> None:
        assert code(await client.post(PROJECTS, headers=owner, json={"name": name})) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("description", ["a\0b", "x" * 5001, 7], ids=lambda text: ascii(text)[:12])
    async def test_an_invalid_description_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], description: object
    ) -> None:
        answer = await client.post(PROJECTS, headers=owner, json={"name": "Apollo", "description": description})

        assert code(answer) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("field", ["id", "owner_id", "created_at", "deleted_at", "colour"])
    async def test_unknown_fields_are_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], field: str
    ) -> None:
        answer = await client.post(PROJECTS, headers=owner, json={"name": "Apollo", field: str(uuid4())})

        assert code(answer) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"name": "\\ud800"}', b"\xff"], ids=ascii)
    async def test_an_invalid_body_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], body: bytes
    ) -> None:
        headers = {**owner, "Content-Type": "application/json"}

        assert (await client.post(PROJECTS, headers=headers, content=body)).status_code in {400, 422}


class TestRead:
    async def test_an_unknown_project_is_404(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        missing = uuid4()

        answer = await client.get(f"{PROJECTS}/{missing}", headers=owner)

        assert code(answer) == (404, "NOT_FOUND")
        assert answer.json()["error"]["details"] == {"resource": "Project", "id": str(missing)}

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    @pytest.mark.parametrize("project_id", ["1", "not-an-id", f"{UUID(int=7)}x", "%00"])
    async def test_an_invalid_id_is_422(
        self, client: httpx.AsyncClient, owner: dict[str, str], method: str, project_id: str
    ) -> None:
        body = {"name": "Apollo"} if method == "PATCH" else None
        answer = await client.request(method, f"{PROJECTS}/{project_id}", headers=owner, json=body)

        assert code(answer) == (422, "VALIDATION_ERROR")


class TestUpdate:
    async def test_changes_only_the_fields_that_were_sent(
        self, client: httpx.AsyncClient, owner: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner, description='To the moon')}"
        before = (await client.get(url, headers=owner)).json()

        answer = await client.patch(url, headers=owner, json={"name": "Artemis"})

        after = answer.json()
        assert answer.status_code == 200
        assert (after["name"], after["description"], after["created_at"]) == (
            "Artemis",
            "To the moon",
            before["created_at"],
        )
        assert after["updated_at"] > before["updated_at"]
        assert (await client.get(url, headers=owner)).json() == after

    async def test_null_clears_the_description(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        url = f"{PROJECTS}/{await create(client, owner, description='To the moon')}"

        assert (await client.patch(url, headers=owner, json={"description": None})).json()["description"] is None

    async def test_an_empty_change_changes_nothing(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"
        before = (await client.get(url, headers=owner)).json()

        answer = await client.patch(url, headers=owner, json={})

        assert (answer.status_code, answer.json()) == (200, before)

    @pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:12])
    async def test_an_invalid_name_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], name: object
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.patch(url, headers=owner, json={"name": name})) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("field", ["id", "owner_id", "created_at", "deleted_at", "colour"])
    async def test_unknown_fields_are_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], field: str
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.patch(url, headers=owner, json={field: str(uuid4())})) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("attempt", range(3))
    async def test_concurrent_changes_of_different_fields_are_both_kept(
        self, live_client: httpx.AsyncClient, live_sign_in: SignIn, attempt: int
    ) -> None:
        del attempt
        headers = await live_sign_in()
        url = f"{PROJECTS}/{await create(live_client, headers)}"

        answers = await asyncio.gather(
            *(
                live_client.patch(url, headers=headers, json=change)
                for change in ({"name": "Artemis"}, {"description": "To the moon"})
                for _ in range(5)
            )
        )

        project = (await live_client.get(url, headers=headers)).json()
        assert {answer.status_code for answer in answers} == {200}
        assert (project["name"], project["description"]) == ("Artemis", "To the moon")


class TestDelete:
    async def test_a_deleted_project_is_not_found(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        answer = await client.delete(url, headers=owner)

        assert (answer.status_code, answer.content) == (204, b"")
        assert code(await client.get(url, headers=owner)) == (404, "NOT_FOUND")
        assert code(await client.patch(url, headers=owner, json={"name": "Artemis"})) == (404, "NOT_FOUND")
        assert code(await client.delete(url, headers=owner)) == (404, "NOT_FOUND")
        assert (await client.get(PROJECTS, headers=owner)).json()["total"] == 0

    async def test_a_deleted_project_can_be_restored(
        self, client: httpx.AsyncClient, owner: dict[str, str], runtime: Runtime
    ) -> None:
        project_id = await create(client, owner)
        before = (await client.get(f"{PROJECTS}/{project_id}", headers=owner)).json()
        await client.delete(f"{PROJECTS}/{project_id}", headers=owner)

        async with runtime.database.transaction() as session:
            projects = ProjectRepository(session)
            await projects.restore(await projects.require(UUID(project_id), with_deleted=True))

        after = (await client.get(f"{PROJECTS}/{project_id}", headers=owner)).json()
        assert {**after, "updated_at": None} == {**before, "updated_at": None}

    async def test_concurrent_deletions_are_204_or_404(
        self, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()
        url = f"{PROJECTS}/{await create(live_client, headers)}"

        answers = await asyncio.gather(*(live_client.delete(url, headers=headers) for _ in range(5)))

        assert {answer.status_code for answer in answers} <= {204, 404}
        assert 204 in {answer.status_code for answer in answers}
