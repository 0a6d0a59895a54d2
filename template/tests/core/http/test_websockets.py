"""A WebSocket in a module's router is guarded and limited like a route, and has a session."""

import json
from typing import Annotated, Any
from uuid import uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket, WebSocketDisconnect
from sqlalchemy import func, select
from starlette.requests import HTTPConnection

from app.core.errors import UnauthorizedError
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.http.guards import once_per_connection
from app.core.http.rate_limit import RateLimit, limit_user
from app.core.inbox.models import InboxEvent
from app.core.manifest import Guards, Module
from app.core.ports.operations import RealtimeConnection
from tests.core.applications import API, Build
from tests.core.telemetry import Recorder

PATH = f"{API}/app/socket"


@once_per_connection
async def caller_of(connection: HTTPConnection) -> str:
    """Return the user whom a header names."""
    name = connection.headers.get("x-user")
    if name is None:
        raise UnauthorizedError
    await limit_user(connection, name)
    return name


async def greet(
    websocket: WebSocket, caller: Annotated[str, Depends(caller_of)], session: SessionDep, runtime: RuntimeDep
) -> None:
    """Say who is connected, and how many events there are."""
    await websocket.accept()
    session.add(InboxEvent(provider="shop", event_id=uuid4().hex, payload={}, handler="shop.handle"))
    await session.flush()
    events = await session.scalar(select(func.count()).select_from(InboxEvent))
    await websocket.send_json({"caller": caller, "events": events, "name": runtime.settings.PROJECT_NAME})
    await websocket.close()


async def enter(websocket: WebSocket) -> None:
    """Accept and close."""
    await websocket.accept()
    await websocket.close()


async def fail(websocket: WebSocket) -> None:
    """Fail before or after the connection is accepted."""
    if "x-user" in websocket.headers:
        await websocket.accept()
    raise LookupError


async def number(websocket: WebSocket, number: int) -> None:
    """Accept a number."""
    await websocket.send_json(number)


async def refuse(websocket: WebSocket) -> None:
    """Close without accepting."""
    await websocket.close()


async def wait(websocket: WebSocket) -> None:
    """Wait for a message that never comes."""
    await websocket.accept()
    raise WebSocketDisconnect


@pytest.fixture
def sockets(build: Build) -> FastAPI:
    router = APIRouter()
    router.add_api_websocket_route("/socket", greet)
    router.add_api_websocket_route("/rooms/{room}", enter, dependencies=[Depends(RateLimit("1/hour", name="rooms"))])
    router.add_api_websocket_route("/other", enter)
    nested = APIRouter(dependencies=[Depends(RateLimit("3/hour", name="nested"))])
    nested.add_api_websocket_route("/nested", enter)
    router.include_router(nested)
    public = APIRouter()
    public.add_api_websocket_route("/status", enter)
    public.add_api_websocket_route("/fail", fail)
    public.add_api_websocket_route("/refuse", refuse)
    public.add_api_websocket_route("/wait", wait)
    public.add_api_websocket_route("/numbers/{number}", number)
    guards = Guards(app=Depends(caller_of), admin=Depends(caller_of))
    sockets = Module(name="sockets", router=router, public_router=public, guards=guards)
    return build(sockets, RATE_LIMIT_DEFAULT="2/hour")


async def connect(app: FastAPI, *, user: str | None, denial: bool = True, path: str = PATH) -> list[dict[str, Any]]:
    """Return the messages that the application sends to a client that connects."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [(b"x-user", user.encode())] if user else [],
        "query_string": b"",
        "scheme": "ws",
        "client": ("192.0.2.1", 1),
        "extensions": {"websocket.http.response": {}} if denial else {},
    }
    await app(scope, receive, send)
    return sent


class TestWebSocket:
    async def test_has_the_caller_a_session_and_the_runtime(self, sockets: FastAPI) -> None:
        accepted, text, closed = await connect(sockets, user="me")

        assert accepted["type"] == "websocket.accept"
        assert json.loads(text["text"]) == {"caller": "me", "events": 1, "name": "Test"}
        assert closed["type"] == "websocket.close"

    async def test_is_refused_by_its_guard_with_the_error_as_the_answer(self, sockets: FastAPI) -> None:
        start, body = await connect(sockets, user=None)

        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert json.loads(body["body"])["error"]["code"] == "UNAUTHORIZED"

    async def test_is_closed_if_the_server_cannot_send_a_response(self, sockets: FastAPI) -> None:
        [closed] = await connect(sockets, user=None, denial=False)

        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)

    async def test_is_limited_by_user(self, sockets: FastAPI) -> None:
        first = [(await connect(sockets, user="me"))[0]["type"] for _ in range(2)]
        limited, _ = await connect(sockets, user="me")
        other = await connect(sockets, user="someone")

        assert first == ["websocket.accept"] * 2
        assert limited["status"] == 429
        assert other[0]["type"] == "websocket.accept"

    @pytest.mark.parametrize(
        ("paths", "expected"),
        [
            (["/app/rooms/a", "/app/rooms/b"], [True, False]),
            (["/app/nested"] * 4, [True, True, True, False]),
            (["/app/other"] * 3, [True, True, False]),
            (["/app/other", "/app/other", "/app/socket", "/app/nested", "/app/rooms/a"], [True] * 5),
            (["/public/status"] * 3, [True, True, False]),
        ],
        ids=["its own limit", "its router's limit", "the default", "each route by itself", "by address"],
    )
    async def test_has_the_limit_of_its_route(self, sockets: FastAPI, paths: list[str], expected: list[bool]) -> None:
        first = [(await connect(sockets, user="me", path=f"{API}{path}"))[0] for path in paths]

        assert [message["type"] == "websocket.accept" for message in first] == expected
        for message in first:
            assert message["type"] == "websocket.accept" or message["status"] == 429

    async def test_a_refusal_has_the_headers_of_every_response(self, sockets: FastAPI) -> None:
        start, body = await connect(sockets, user=None)

        headers = dict(start["headers"])
        assert headers[b"x-request-id"].decode() == json.loads(body["body"])["error"]["request_id"]
        assert headers[b"x-content-type-options"] == b"nosniff"

    @pytest.mark.parametrize("user", ["me", None])
    async def test_is_reported_to_telemetry_with_its_route(self, sockets: FastAPI, user: str | None) -> None:
        recorder = Recorder()
        with sockets.state.runtime.listen(recorder):
            await connect(sockets, user=user, path=f"{API}/app/rooms/a")

        (connection,) = recorder.of(RealtimeConnection)
        assert (connection.route, connection.accepted) == (f"{API}/app/rooms/{{room}}", user is not None)

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/public/none", 404, "NOT_FOUND"),
            ("/app/socket/", 404, "NOT_FOUND"),
            ("/public/health", 404, "NOT_FOUND"),
            ("/public/refuse", 403, "FORBIDDEN"),
            ("/public/numbers/none", 403, "FORBIDDEN"),
            ("/public/fail", 500, "INTERNAL_ERROR"),
        ],
    )
    async def test_every_refusal_has_the_one_shape(self, sockets: FastAPI, path: str, status: int, code: str) -> None:
        start, body = await connect(sockets, user=None, path=f"{API}{path}")

        error = json.loads(body["body"])["error"]
        assert (start["type"], start["status"], error["code"]) == ("websocket.http.response.start", status, code)
        assert list(error) == ["code", "message", "details", "request_id"]

    @pytest.mark.parametrize("path", ["/public/none", "/public/refuse"])
    async def test_is_only_closed_if_the_server_cannot_send_a_denial(self, sockets: FastAPI, path: str) -> None:
        [closed] = await connect(sockets, user=None, denial=False, path=f"{API}{path}")

        assert closed["type"] == "websocket.close"

    async def test_an_error_after_the_start_is_left_to_the_server(self, sockets: FastAPI) -> None:
        with pytest.raises(LookupError):
            await connect(sockets, user="me", path=f"{API}/public/fail")

    async def test_a_disconnect_is_not_an_error(self, sockets: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
        [accepted] = await connect(sockets, user=None, path=f"{API}/public/wait")

        assert accepted["type"] == "websocket.accept"
        assert "unhandled_error" not in capsys.readouterr().out
