"""What users do with their projects."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.runtime import Runtime
from app.projects.data_policy import LEVELS
from app.projects.repository import ProjectRepository
from tests.conftest import ME, SignIn
from tests.core.metered import Metered
from tests.statements import statements_of

PROJECTS = "/api/v1/app/projects"

BAD_NAMES = ["", "   ", "a\0b", "two\nlines", "x" * 201, "x" * 500_000, None, 7, {"a": 1}]


@pytest.fixture
async def owner(sign_in: SignIn) -> dict[str, str]:
    """The headers of somebody who has projects."""
    return await sign_in(email="owner@example.com")


@pytest.fixture
async def stranger(sign_in: SignIn) -> dict[str, str]:
    """The headers of somebody else."""
    return await sign_in(email="stranger@example.com")


async def create(client: httpx.AsyncClient, headers: dict[str, str], name: str = "Apollo", **fields: str) -> str:
    """The id of a new project."""
    answer = await client.post(PROJECTS, headers=headers, json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestCreate:
    async def test_answers_the_project(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        answer = await client.post(PROJECTS, headers=owner, json={"name": " Apollo ", "description": "To the\nmoon"})

        assert answer.status_code == 201
        project = answer.json()
        assert project.keys() == {"id", "name", "description", "created_at", "updated_at"}
        assert (project["name"], project["description"]) == ("Apollo", "To the\nmoon")
        assert (await client.get(f"{PROJECTS}/{project['id']}", headers=owner)).json() == project

    @pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:12])
    async def test_what_is_no_name_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], name: object
    ) -> None:
        assert code(await client.post(PROJECTS, headers=owner, json={"name": name})) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("description", ["a\0b", "x" * 5001, 7], ids=lambda text: ascii(text)[:12])
    async def test_what_is_no_description_is_refused(
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
    async def test_a_body_that_is_no_project_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], body: bytes
    ) -> None:
        headers = {**owner, "Content-Type": "application/json"}

        assert (await client.post(PROJECTS, headers=headers, content=body)).status_code in {400, 422}


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

    async def test_does_not_count_deleted_projects_and_those_of_others(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str], runtime: Runtime
    ) -> None:
        await create(client, owner)
        deleted = await create(client, owner)
        await client.delete(f"{PROJECTS}/{deleted}", headers=owner)
        await create(client, stranger)
        user_id = UUID((await client.get(ME, headers=owner)).json()["id"])

        async with runtime.database.reading() as session:
            assert [await session.scalar(level.measure(user_id)) for level in LEVELS] == [1]


class TestList:
    async def test_answers_ones_own_the_newest_first(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        for name in ("one", "two", "three"):
            await create(client, owner, name)
        await create(client, stranger, "not mine")

        answer = (await client.get(PROJECTS, headers=owner)).json()

        assert [item["name"] for item in answer["items"]] == ["three", "two", "one"]
        assert (answer["total"], answer["skip"], answer["limit"]) == (3, 0, 20)

    async def test_nothing_is_an_empty_list(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        assert (await client.get(PROJECTS, headers=owner)).json() == {"items": [], "total": 0, "skip": 0, "limit": 20}

    async def test_pages_show_each_project_once(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        for number in range(5):
            await create(client, owner, f"project {number}")

        pages = [
            (await client.get(PROJECTS, headers=owner, params={"skip": n, "limit": 2})).json() for n in (0, 2, 4, 6)
        ]

        assert [len(page["items"]) for page in pages] == [2, 2, 1, 0]
        assert {page["total"] for page in pages} == {5}
        assert len({item["id"] for page in pages for item in page["items"]}) == 5

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("APOLLO", ["Apollo 11"]),
            ("to the moon", ["Apollo 11"]),
            ("100%", ["Mercury 100%"]),
            ("_ercury", []),
            ("%", ["Mercury 100%"]),
            ("\\", []),
            ("", ["Mercury 100%", "Apollo 11"]),
            ("' OR 1=1 --", []),
        ],
    )
    async def test_searches_names_and_descriptions_literally(
        self, client: httpx.AsyncClient, owner: dict[str, str], search: str, found: list[str]
    ) -> None:
        await create(client, owner, "Apollo 11", description="To the Moon")
        await create(client, owner, "Mercury 100%")

        answer = (await client.get(PROJECTS, headers=owner, params={"search": search})).json()

        assert [item["name"] for item in answer["items"]] == found
        assert answer["total"] == len(found)

    @pytest.mark.parametrize(
        "params",
        [
            {"limit": 0},
            {"limit": 1000},
            {"limit": -1},
            {"limit": "ten"},
            {"skip": -1},
            {"skip": 10**30},
            {"search": "\0"},
        ],
        ids=str,
    )
    async def test_a_query_that_makes_no_sense_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], params: dict[str, str]
    ) -> None:
        assert code(await client.get(PROJECTS, headers=owner, params=params)) == (422, "VALIDATION_ERROR")

    async def test_takes_two_statements_that_only_read(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()
        await create(live_client, headers)

        with statements_of(live_runtime.database) as statements:
            answer = await live_client.get(PROJECTS, headers=headers)

        assert answer.json()["total"] == 1
        assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT"]


class TestStrangers:
    """A project of somebody else is as good as none."""

    async def test_reading_it_is_404(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.get(url, headers=stranger)) == (404, "NOT_FOUND")

    async def test_changing_it_is_404_and_changes_nothing(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.patch(url, headers=stranger, json={"name": "Mine"})) == (404, "NOT_FOUND")
        assert (await client.get(url, headers=owner)).json()["name"] == "Apollo"

    async def test_deleting_it_is_404_and_deletes_nothing(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        assert code(await client.delete(url, headers=stranger)) == (404, "NOT_FOUND")
        assert (await client.get(url, headers=owner)).status_code == 200


class TestRead:
    async def test_no_such_project_is_404(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
        missing = uuid4()

        answer = await client.get(f"{PROJECTS}/{missing}", headers=owner)

        assert code(answer) == (404, "NOT_FOUND")
        assert answer.json()["error"]["details"] == {"resource": "Project", "id": str(missing)}

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    @pytest.mark.parametrize("project_id", ["1", "not-an-id", f"{UUID(int=7)}x", "%00"])
    async def test_what_is_no_id_is_422(
        self, client: httpx.AsyncClient, owner: dict[str, str], method: str, project_id: str
    ) -> None:
        body = {"name": "Apollo"} if method == "PATCH" else None
        answer = await client.request(method, f"{PROJECTS}/{project_id}", headers=owner, json=body)

        assert code(answer) == (422, "VALIDATION_ERROR")


class TestUpdate:
    async def test_changes_what_is_sent_and_nothing_else(
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
    async def test_what_is_no_name_is_refused(
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
    async def test_changes_of_different_fields_at_the_same_time_are_both_kept(
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
    async def test_a_deleted_project_is_gone_for_its_owner(
        self, client: httpx.AsyncClient, owner: dict[str, str]
    ) -> None:
        url = f"{PROJECTS}/{await create(client, owner)}"

        answer = await client.delete(url, headers=owner)

        assert (answer.status_code, answer.content) == (204, b"")
        assert code(await client.get(url, headers=owner)) == (404, "NOT_FOUND")
        assert code(await client.patch(url, headers=owner, json={"name": "Artemis"})) == (404, "NOT_FOUND")
        assert code(await client.delete(url, headers=owner)) == (404, "NOT_FOUND")
        assert (await client.get(PROJECTS, headers=owner)).json()["total"] == 0

    async def test_it_is_kept_and_can_be_restored(
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

    async def test_deleting_twice_at_the_same_time_is_no_error_of_ours(
        self, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()
        url = f"{PROJECTS}/{await create(live_client, headers)}"

        answers = await asyncio.gather(*(live_client.delete(url, headers=headers) for _ in range(5)))

        assert {answer.status_code for answer in answers} <= {204, 404}
        assert 204 in {answer.status_code for answer in answers}
