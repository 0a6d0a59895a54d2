"""The guards of WebSockets, through a real server and a real client."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Depends, WebSocket
from sqlalchemy import update
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from app.auth.bearer import accept
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.dependencies import AdminUser, CurrentUser, require_permission, require_role
from app.users.models import users
from app.users.roles import AccessPolicy, Role, RoleDefinition
from tests.conftest import ME, SignIn

APP, ADMIN = "app", "admin"

router, admin_router = APIRouter(), APIRouter()


@router.websocket("/echo")
async def echo(websocket: WebSocket, user: CurrentUser) -> None:
    """Tell the client who it is."""
    await accept(websocket)
    await websocket.send_text(str(user.id))
    await websocket.close()


@admin_router.websocket("/echo")
async def admin_echo(websocket: WebSocket, user: AdminUser) -> None:
    """Tell the administrator who they are."""
    await accept(websocket)
    await websocket.send_text(str(user.id))
    await websocket.close()


@router.websocket("/unaware")
async def unaware(websocket: WebSocket) -> None:
    """Rely on the guard of the area."""
    await accept(websocket)
    await websocket.send_text("in")
    await websocket.close()


@router.websocket("/supported", dependencies=[Depends(require_role("support"))])
async def supported(websocket: WebSocket) -> None:
    """Greet the support team."""
    await accept(websocket)
    await websocket.close()


@router.websocket("/permitted", dependencies=[Depends(require_permission("echo:use"))])
async def permitted(websocket: WebSocket) -> None:
    """Greet users with the permission."""
    await accept(websocket)
    await websocket.close()


module = Module(name="echo", router=router, admin_router=admin_router)


@pytest.fixture
async def server(live_runtime: Runtime) -> AsyncIterator[str]:
    """The address of a server on the loopback interface."""
    live_runtime.provide(AccessPolicy, AccessPolicy(("echo:use",), (RoleDefinition("support", ("echo:use",)),)))
    app = create_app([*MODULES, module], runtime=live_runtime)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_config=None)
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve([listening]))
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/api/v1"
        running.should_exit = True
        await task


def dial(server: str, area: str, headers: dict[str, str] | None = None, path: str = "echo") -> connect:
    return connect(f"{server}/{area}/{path}", additional_headers=headers, proxy=None)


async def refusal(dialling: connect) -> tuple[int, str]:
    """Return the status and the code with which the server refuses the handshake."""
    with pytest.raises(InvalidStatus) as raised:
        await dialling
    response = raised.value.response
    return response.status_code, str(json.loads(response.body)["error"]["code"])


@pytest.mark.parametrize("area", [APP, ADMIN])
class TestBothGuards:
    async def test_no_token_is_refused(self, server: str, area: str) -> None:
        assert await refusal(dial(server, area)) == (401, "UNAUTHORIZED")

    async def test_a_bad_token_is_refused(self, server: str, area: str) -> None:
        assert await refusal(dial(server, area, {"Authorization": "Bearer made.up.token"})) == (401, "INVALID_TOKEN")

    async def test_guessing_is_limited(self, server: str, area: str) -> None:
        headers = {"Authorization": "Bearer made.up.token"}
        codes = [(await refusal(dial(server, area, headers)))[0] for _ in range(6)]

        assert codes == [401] * 5 + [429]

    async def test_a_deactivated_user_is_refused(
        self, server: str, area: str, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in(role=Role.ADMIN)
        user_id = UUID((await live_client.get(ME, headers=headers)).json()["id"])
        async with live_runtime.database.transaction() as session:
            await session.execute(update(users).where(users.c.id == user_id).values(is_active=False))

        assert await refusal(dial(server, area, headers)) == (403, "ACCOUNT_DEACTIVATED")

    async def test_an_administrator_enters(
        self, server: str, area: str, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in(role=Role.ADMIN)
        me = (await live_client.get(ME, headers=headers)).json()

        async with dial(server, area, headers) as websocket:
            assert await websocket.recv() == me["id"]

    async def test_the_token_can_be_a_subprotocol(
        self, server: str, area: str, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in(role=Role.ADMIN)
        token = headers["Authorization"].removeprefix("Bearer ")
        me = (await live_client.get(ME, headers=headers)).json()
        offered = [Subprotocol("bearer"), Subprotocol(token)]

        async with connect(f"{server}/{area}/echo", subprotocols=offered, proxy=None) as websocket:
            assert websocket.subprotocol == "bearer"
            assert await websocket.recv() == me["id"]


class TestPlainUser:
    async def test_enters_the_app_area_only(
        self, server: str, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()
        me = (await live_client.get(ME, headers=headers)).json()

        async with dial(server, APP, headers) as websocket:
            assert await websocket.recv() == me["id"]
        assert await refusal(dial(server, ADMIN, headers)) == (403, "ADMIN_REQUIRED")

    async def test_a_route_that_does_not_ask_for_the_user_is_guarded_too(
        self, server: str, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()

        assert await refusal(dial(server, APP, path="unaware")) == (401, "UNAUTHORIZED")
        async with dial(server, APP, headers, path="unaware") as websocket:
            assert await websocket.recv() == "in"


@pytest.mark.parametrize(("path", "code"), [("supported", "ROLE_REQUIRED"), ("permitted", "PERMISSION_REQUIRED")])
async def test_roles_and_permissions_guard_websockets(server: str, live_sign_in: SignIn, path: str, code: str) -> None:
    plain = await live_sign_in()
    support = await live_sign_in(email="support@example.com", role="support")

    assert await refusal(dial(server, APP, plain, path)) == (403, code)
    async with dial(server, APP, support, path):
        pass
