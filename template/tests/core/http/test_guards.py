"""Guards run once, before the body is read."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import HTTPConnection

from app.core.errors import ForbiddenError, UnauthorizedError
from app.core.http.guards import once_per_connection
from app.core.http.rate_limit import limit_address, limit_user
from app.core.http.route_table import RouteTable
from app.core.manifest import Guards, Module
from tests.core.applications import API, PUBLIC, Build, client_of, error_of, module

runs: list[str] = []


@once_per_connection
async def caller_of(connection: HTTPConnection) -> str:
    """Return the user whom a header names."""
    runs.append("caller_of")
    name = connection.headers.get("x-user")
    if name is None:
        await limit_address(connection)
        raise UnauthorizedError
    await limit_user(connection, name)
    return name


CallerDep = Annotated[str, Depends(caller_of)]


async def admin_of(caller: CallerDep) -> str:
    """Return the user who is an administrator."""
    if caller != "admin":
        raise ForbiddenError("Administrators only.")
    return caller


async def greet(caller: CallerDep, body: dict[str, int]) -> dict[str, str]:
    return {"caller": caller, "keys": ",".join(body)}


@pytest.fixture
def guarded(build: Build) -> FastAPI:
    runs.clear()
    app_router, admin_router = APIRouter(), APIRouter()
    app_router.add_api_route("/greet", greet, methods=["POST"])
    admin_router.add_api_route("/greet", greet, methods=["POST"])
    guards = Guards(app=Depends(caller_of), admin=Depends(admin_of))
    return build(Module(name="guarded", router=app_router, admin_router=admin_router, guards=guards))


async def recorded(read: list[bytes]) -> AsyncIterator[bytes]:
    for part in (b'{"a"', b": 1}"):
        read.append(part)
        yield part


class TestGuards:
    @pytest.mark.parametrize(
        ("area", "headers", "status"), [("app", {}, 401), ("admin", {}, 401), ("admin", {"X-User": "me"}, 403)]
    )
    async def test_refuse_before_the_body_is_read(
        self, guarded: FastAPI, area: str, headers: dict[str, str], status: int
    ) -> None:
        read: list[bytes] = []
        async with client_of(guarded, headers=headers) as client:
            answer = await client.post(f"{API}/{area}/greet", content=recorded(read))

        assert answer.status_code == status
        assert answer.headers["connection"] == "close"
        assert error_of(answer)
        assert read == []
        assert runs == ["caller_of"]

    async def test_keep_the_connection_after_a_body_of_known_length(self, guarded: FastAPI) -> None:
        async with client_of(guarded) as client:
            answer = await client.post(f"{API}/app/greet", content=b"{}")

        assert answer.status_code == 401
        assert "connection" not in answer.headers

    async def test_run_once_and_count_once(self, guarded: FastAPI) -> None:
        async with client_of(guarded, headers={"X-User": "admin"}) as client:
            answer = await client.post(f"{API}/admin/greet", json={"a": 1})

        assert answer.json() == {"caller": "admin", "keys": "a"}
        assert runs == ["caller_of"]
        assert answer.headers["x-ratelimit-remaining"] == "59"

    async def test_run_again_for_the_next_request(self, guarded: FastAPI) -> None:
        async with client_of(guarded, headers={"X-User": "me"}) as client:
            for _ in range(2):
                await client.post(f"{API}/app/greet", json={})

        assert runs == ["caller_of"] * 2


class TestRouteTable:
    async def test_is_searched_once_for_a_request_without_a_body(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def read() -> None:
            return None

        searched: list[str] = []
        find = RouteTable.find

        def counted(table: RouteTable, scope: dict[str, object]) -> object:
            searched.append(str(scope["path"]))
            return find(table, scope)

        app = build(module(("GET", "/thing", read)))
        monkeypatch.setattr(RouteTable, "find", counted)
        async with client_of(app) as client:
            await client.get(f"{PUBLIC}/thing")

        assert len(searched) == 1

    async def test_lists_the_methods_of_a_fixed_path_only(self, build: Build) -> None:
        async def confirm() -> None:
            return None

        app = build(module(("POST", "/files/confirm", confirm), ("GET", "/files/{file_id}", confirm)))
        async with client_of(app) as client:
            fixed = await client.options(f"{PUBLIC}/files/confirm")
            other = await client.options(f"{PUBLIC}/files/7")

        assert (fixed.status_code, fixed.headers["allow"]) == (405, "POST")
        assert other.headers["allow"] == "GET"
        assert error_of(fixed)["code"] == "METHOD_NOT_ALLOWED"
