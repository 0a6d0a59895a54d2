"""Routes are found in a table, which gives what the framework's own search gives."""

import httpx
import pytest
from fastapi import APIRouter, WebSocket
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from app.core.manifest import Module
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


class TestDispatcher:
    @pytest.mark.parametrize("path", ["/things/mine%0A", "/things/7%0A"])
    async def test_a_path_that_ends_with_a_newline_is_another_path(self, build: Build, path: str) -> None:
        async with client_of(build(*modules())) as client:
            assert (await client.get(f"{PUBLIC}{path}")).status_code == 404
            assert (await client.get(f"{PUBLIC}{path.removesuffix('%0A')}")).status_code == 200

    @pytest.mark.parametrize(("request_line", "status", "body"), PATHS)
    @pytest.mark.parametrize("by_table", [True, False])
    async def test_finds_the_same_route_as_the_search(
        self, build: Build, request_line: str, status: int, body: dict[str, str] | None, *, by_table: bool
    ) -> None:
        app = build(*modules())
        if not by_table:
            app.router.middleware_stack = app.router.app
        async with client_of(app) as client:
            method, path = request_line.split(" ")
            answer = await client.request(method, f"{PUBLIC}{path}")

        assert answer.status_code == status
        assert body is None or answer.json() == body

    async def test_leaves_later_routes_to_the_search(self, build: Build) -> None:
        app = build(*modules())
        app.add_api_route("/later", mine)
        async with client_of(app) as client:
            assert (await client.get("/later")).json() == {"mine": ""}

    async def test_leaves_mounted_applications_to_the_search(self, build: Build) -> None:
        async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("mounted")(scope, receive, send)

        router = APIRouter()
        router.mount("/things/mine", mounted)
        app = build(Module(name="mounted", public_router=router), *modules())
        async with client_of(app) as client:
            assert (await client.get(f"{PUBLIC}/things/mine/too")).text == "mounted"
            assert (await client.get(f"{PUBLIC}/things/7")).json() == {"one": "7"}

    async def test_calls_only_the_router_of_the_route(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        app = build(*modules())
        for router in (route for route in app.routes if not hasattr(route, "endpoint")):
            # Whoever asks fails.
            monkeypatch.setattr(router, "matches", None)
        async with client_of(app) as client:
            assert (await client.get(f"{PUBLIC}/files/a")).json() == {"path": "a"}

    async def test_handles_a_root_path_of_a_proxy(self, build: Build) -> None:
        transport = httpx.ASGITransport(build(*modules()), root_path="/behind")
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            assert (await client.get(f"/behind{PUBLIC}/things/7")).json() == {"one": "7"}

    async def test_leaves_websockets_to_the_search(self, build: Build) -> None:
        heard: list[str] = []

        async def listen(socket: WebSocket) -> None:
            await socket.accept()
            heard.append(socket.url.path)
            await socket.close()

        router = APIRouter()
        router.add_api_websocket_route("/socket", listen)
        app = build(Module(name="sockets", public_router=router))
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": f"{PUBLIC}/socket", "headers": [], "query_string": b"", "scheme": "ws"}
        await app(scope, receive, send)

        assert heard == [f"{PUBLIC}/socket"]
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
