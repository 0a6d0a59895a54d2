"""A WebSocket in a module's router is guarded and limited like a route, and has a session."""

import json
from typing import Annotated, Any
from uuid import uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from sqlalchemy import func, select
from starlette.requests import HTTPConnection

from app.core.errors import UnauthorizedError
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.http.guards import once_per_connection
from app.core.http.rate_limit import limit_user
from app.core.inbox.models import InboxEvent
from app.core.manifest import Guards, Module
from tests.core.applications import API, Build

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


@pytest.fixture
def sockets(build: Build) -> FastAPI:
    router = APIRouter()
    router.add_api_websocket_route("/socket", greet)
    guards = Guards(app=Depends(caller_of), admin=Depends(caller_of))
    return build(Module(name="sockets", router=router, guards=guards), RATE_LIMIT_DEFAULT="2/hour")


async def connect(app: FastAPI, *, user: str | None, denial: bool = True) -> list[dict[str, Any]]:
    """What the application sends to a client that connects."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": PATH,
        "raw_path": PATH.encode(),
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

    async def test_is_closed_where_the_server_cannot_send_an_answer(self, sockets: FastAPI) -> None:
        [closed] = await connect(sockets, user=None, denial=False)

        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)

    async def test_is_limited_by_user(self, sockets: FastAPI) -> None:
        first = [(await connect(sockets, user="me"))[0]["type"] for _ in range(2)]
        limited, _ = await connect(sockets, user="me")
        other = await connect(sockets, user="someone")

        assert first == ["websocket.accept"] * 2
        assert limited["status"] == 429
        assert other[0]["type"] == "websocket.accept"
