"""The list of a user's projects."""

import httpx
import pytest

from app.core.runtime import Runtime
from tests.conftest import SignIn
from tests.projects.requests import PROJECTS, code, create
from tests.statements import no_repeated_queries, statements_of


class TestList:
    async def test_lists_the_projects_of_the_user_newest_first(
        self, client: httpx.AsyncClient, owner: dict[str, str], stranger: dict[str, str]
    ) -> None:
        for name in ("one", "two", "three"):
            await create(client, owner, name)
        await create(client, stranger, "not mine")

        answer = (await client.get(PROJECTS, headers=owner)).json()

        assert [item["name"] for item in answer["items"]] == ["three", "two", "one"]
        assert (answer["total"], answer["skip"], answer["limit"]) == (3, 0, 20)

    async def test_is_empty_without_projects(self, client: httpx.AsyncClient, owner: dict[str, str]) -> None:
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
    async def test_searches_names_and_descriptions_without_wildcards(
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
    async def test_an_invalid_query_is_refused(
        self, client: httpx.AsyncClient, owner: dict[str, str], params: dict[str, str]
    ) -> None:
        assert code(await client.get(PROJECTS, headers=owner, params=params)) == (422, "VALIDATION_ERROR")

    async def test_takes_two_statements_that_only_read(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()
        await create(live_client, headers)

        with statements_of(live_runtime.database) as statements, no_repeated_queries(live_runtime.database):
            answer = await live_client.get(PROJECTS, headers=headers)

        assert answer.json()["total"] == 1
        assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT"]
