"""Routes are found by an index, which gives what the framework's own search gives."""

import pytest
from fastapi import APIRouter

from app.core.module import Module
from tests.core.applications import PUBLIC, Build, client_of, module


async def one(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
    return {"one": id}


async def mine() -> dict[str, str]:
    return {"mine": ""}


async def any_path(path: str) -> dict[str, str]:
    return {"path": path}


def modules() -> tuple[Module, ...]:
    number = APIRouter()
    number.add_api_route("/numbers/{id:int}", one)
    return (
        module(("GET", "/things/mine", mine), ("GET", "/things/{id}", one)),
        # Both have what the first has, too late.
        module(("GET", "/things/{id}", any_path), ("POST", "/things/{id}", one)),
        Module(name="numbers", public_router=number),
        module(("GET", "/files/{path:path}", any_path)),
    )


PATHS = [
    ("GET /things/mine", 200, {"mine": ""}),
    ("GET /things/7", 200, {"one": "7"}),
    ("POST /things/7", 200, {"one": "7"}),
    ("GET /things/a%20b", 200, {"one": "a b"}),
    ("GET /files/a/b/c.txt", 200, {"path": "a/b/c.txt"}),
    ("GET /numbers/seven", 404, None),
    ("GET /things", 404, None),
    ("GET /things/7/8", 404, None),
    ("DELETE /things/7", 405, None),
]


class TestPathIndex:
    @pytest.mark.parametrize(("request_line", "status", "body"), PATHS)
    @pytest.mark.parametrize("indexed", [True, False])
    async def test_finds_what_a_search_finds(
        self,
        build: Build,
        request_line: str,
        status: int,
        body: dict[str, str] | None,
        *,
        indexed: bool,
    ) -> None:
        app = build(*modules())
        if not indexed:
            app.router.middleware_stack = app.router.app
        async with client_of(app) as client:
            method, path = request_line.split(" ")
            answer = await client.request(method, f"{PUBLIC}{path}")

        assert answer.status_code == status
        assert body is None or answer.json() == body

    async def test_leaves_to_the_search_what_was_added_later(self, build: Build) -> None:
        app = build(*modules())
        app.add_api_route("/later", mine)
        async with client_of(app) as client:
            assert (await client.get("/later")).json() == {"mine": ""}

    async def test_asks_no_router_without_a_route_for_the_path(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = build(*modules())
        routers = [route for route in app.routes if not hasattr(route, "endpoint")]
        for router in routers[:-1]:
            # The last one has the path; no other may be asked.
            monkeypatch.setattr(router, "matches", None)
        async with client_of(app) as client:
            assert (await client.get(f"{PUBLIC}/files/a")).json() == {"path": "a"}
