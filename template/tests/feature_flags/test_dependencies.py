"""Routes that require a flag."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI

from app.core.manifest import Module, ModuleList, modules_of
from app.core.runtime import Runtime
from app.feature_flags.dependencies import require_flag
from app.feature_flags.diagnostics import find_unknown_flags
from app.main import create_app
from tests.conftest import SignIn, make_client
from tests.feature_flags.conftest import PlansByUser, create_flag

PATH = "/api/v1/app/editor"
router = APIRouter(prefix="/editor", dependencies=[Depends(require_flag("new-editor"))])


@router.get("")
async def read_editor() -> str:
    """Read."""
    return "here"


@router.post("", dependencies=[Depends(require_flag("saving"))])
async def save() -> str:
    """Save."""
    return "saved"


EDITOR = Module(name="editor", router=router)


@pytest.fixture
async def app(runtime: Runtime) -> FastAPI:
    """The application with the routes above."""
    return create_app([*modules_of(runtime), EDITOR], runtime=runtime)


async def test_admits_users_for_whom_the_flag_is_on(
    runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    headers = await sign_in()
    before = await client.get(PATH, headers=headers)
    await create_flag(runtime, "new-editor", {"everyone": True})
    after = await client.get(PATH, headers=headers)

    error = before.json()["error"]
    assert (before.status_code, error["code"]) == (403, "FEATURE_DISABLED")
    assert error["details"] == {"flag": "new-editor"}
    assert (after.status_code, (await client.get(PATH)).status_code) == (200, 401)


async def test_several_flags_must_all_be_on(runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn) -> None:
    await create_flag(runtime, "new-editor", {"everyone": True})

    answer = await client.post(PATH, headers=await sign_in())

    assert answer.json()["error"]["details"] == {"flag": "saving"}


async def test_describes_the_flags_in_the_document(app: FastAPI) -> None:
    operations: dict[str, Any] = app.openapi()["paths"][PATH]

    assert operations["get"]["x-required-flags"] == ["new-editor"]
    assert operations["post"]["x-required-flags"] == ["new-editor", "saving"]
    assert "`FEATURE_DISABLED`: The flag `saving` is off" in operations["post"]["responses"]["403"]["description"]


async def test_the_doctor_names_routes_whose_flag_does_not_exist(runtime: Runtime) -> None:
    runtime.provide(ModuleList, ModuleList((*modules_of(runtime), EDITOR)))
    await create_flag(runtime, "new-editor", {"everyone": True})

    assert await find_unknown_flags(runtime) == [
        "/editor requires the flag saving, which does not exist. Create the flag, or correct the route."
    ]


async def test_a_hundred_users_at_once(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
) -> None:
    del live_client
    live_runtime.plans = plans = PlansByUser()
    await create_flag(live_runtime, "new-editor", {"plans": ["pro"]})
    headers = [await live_sign_in(email=f"user-{number}@example.com") for number in range(100)]
    async with make_client(create_app([*modules_of(live_runtime), EDITOR], runtime=live_runtime)) as client:
        me = await asyncio.gather(*(client.get("/api/v1/app/users/me", headers=each) for each in headers))
        plans.by_user |= {UUID(answer.json()["id"]): "pro" for answer in me[::2]}
        answers = await asyncio.gather(*(client.get(PATH, headers=each) for each in headers for _ in range(5)))

    assert [answer.status_code for answer in answers] == ([200] * 5 + [403] * 5) * 50
    assert plans.calls == 100
