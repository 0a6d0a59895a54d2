"""The examples in docs/feature-flags.md work as they are."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from openfeature import api

from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime
from app.feature_flags.rules import user_fraction
from app.feature_flags.schemas import FlagCreate
from app.feature_flags.service import MAX_LISTED_USERS
from app.feature_flags.snapshot import MAX_FLAGS, MAX_LISTED_IN_MEMORY
from app.main import create_app
from tests.conftest import SignIn, make_client
from tests.feature_flags.conftest import ADMIN, FLAGS, create_flag
from tests.pages import FOLDER, run_examples

PAGE = (FOLDER / "feature-flags.md").read_text(encoding="utf-8")
EVERYONE = {"everyone": True}


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """The names that the examples define."""
    names: dict[str, Any] = {"__name__": "tests.feature_flags.example"}
    assert run_examples("feature-flags.md", names) == 4
    yield names
    api.shutdown()


async def test_routes_follow_flags(runtime: Runtime, sign_in: SignIn, names: dict[str, Any]) -> None:
    editor = Module(name="editor", router=names["router"])
    headers = await sign_in()
    path = "/api/v1/app/editor"
    async with make_client(create_app([*modules_of(runtime), editor], runtime=runtime)) as client:
        before = [await client.get(path, headers=headers), await client.post(f"{path}/comments", headers=headers)]
        for key in ("new-editor", "comments"):
            await create_flag(runtime, key, EVERYONE)
        after = [await client.get(path, headers=headers), await client.post(f"{path}/comments", headers=headers)]

    assert [(answer.status_code, answer.text) for answer in before[:1]] == [(200, '"old"')]
    assert (before[1].status_code, before[1].json()["error"]["code"]) == (403, "FEATURE_DISABLED")
    assert [answer.text for answer in after] == ['"new"', '"created"']


async def test_the_bodies_are_those_of_the_routes(runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn) -> None:
    enabled, flag = (json.loads(body) for body in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    for key in enabled["enabled"]:
        await create_flag(runtime, key, EVERYONE)

    assert FlagCreate.model_validate(flag).key == "new-editor"
    assert (await client.get(FLAGS, headers=await sign_in())).json() == enabled


async def test_names_every_route(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    own = [path.removeprefix(ADMIN).replace("{flag_id}", "{id}") for path in paths if path.startswith(f"{ADMIN}/")]

    assert own
    assert [path for path in own if path not in PAGE] == []


async def test_the_hash_is_the_one_in_use(names: dict[str, Any], user_id: UUID) -> None:
    assert names["position"]("new-editor", user_id) == user_fraction("new-editor", user_id)


async def test_another_provider_decides(runtime: Runtime, names: dict[str, Any], user_id: UUID) -> None:
    async with names["lifespan"](runtime):
        assert await runtime.flags.enabled("comments", user_id)
    assert not await runtime.flags.enabled("comments", user_id)


async def test_the_flags_are_a_provider(runtime: Runtime, names: dict[str, Any], user_id: UUID) -> None:
    await create_flag(runtime, "comments", EVERYONE)

    assert await names["comments_are_on"](runtime, user_id)


@pytest.mark.parametrize("limit", [MAX_FLAGS, MAX_LISTED_USERS, MAX_LISTED_IN_MEMORY], ids=["flags", "list", "memory"])
def test_names_the_limits(limit: int) -> None:
    assert f"{limit:,}" in PAGE
