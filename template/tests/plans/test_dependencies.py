"""Routes and WebSockets that need a plan or use quota."""

from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from pydantic import BaseModel

from app.core.errors import ConflictError
from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.main import create_app
from app.plans.catalog import PlanCatalog
from app.plans.dependencies import Consumes, RequireFeature, RequirePlan
from app.plans.module import check_routes
from tests.conftest import SignIn, make_client
from tests.core.applications import error_of
from tests.plans.conftest import PLANS, Limited

API = "/api/v1/app"
router = APIRouter(prefix="/things")


class Export(BaseModel):
    """A request's body."""

    fails: bool


@router.get("/pro", dependencies=[Depends(RequirePlan("pro"))])
async def read_pro() -> str:
    """Only for users of a plan."""
    return "pro"


@router.get("/audit", dependencies=[Depends(RequireFeature("audit_log"))])
async def read_audit() -> str:
    """Only for users with a feature."""
    return "audit"


@router.post("/exports", dependencies=[Depends(Consumes("exports", 4)), Depends(RequireFeature("audit_log"))])
async def export(data: Export) -> str:
    """Use quota."""
    if data.fails:
        raise ConflictError("It fails.")
    return "exported"


@router.websocket("/socket", dependencies=[Depends(Consumes("exports", 4)), Depends(RequirePlan("pro"))])
async def socket(websocket: WebSocket) -> None:
    """Use quota."""
    await websocket.accept()
    await websocket.close()


@pytest.fixture
async def things(runtime: Runtime, limited: Limited) -> FastAPI:
    """The application, with routes that need something."""
    assert limited.plans
    return create_app([*modules_of(runtime), Module(name="things", router=router)], runtime=runtime)


@pytest.fixture
def subscriber(limited: Limited, user_id: UUID) -> UUID:
    """A user with a subscription."""
    limited.subscriptions.subscribe(user_id, "pro", limited.clock.now, limited.clock.now.replace(year=2100))
    return user_id


async def connect(app: FastAPI, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Return the message that a client receives when it opens a WebSocket."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    path = f"{API}/things/socket"
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "query_string": b"",
        "scheme": "ws",
        "client": ("192.0.2.1", 1),
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    return sent


class TestRequire:
    @pytest.mark.parametrize(
        ("path", "code", "details"),
        [("pro", "PLAN_REQUIRED", {"required": "pro"}), ("audit", "FEATURE_REQUIRED", {"feature": "audit_log"})],
    )
    async def test_refuses_a_lower_plan(
        self, things: FastAPI, sign_in: SignIn, path: str, code: str, details: dict[str, str]
    ) -> None:
        async with make_client(things) as client:
            answer = await client.get(f"{API}/things/{path}", headers=await sign_in())
        assert answer.status_code == 402
        assert error_of(answer)["code"] == code
        nothing = {"limit": None, "used": None, "resets_at": None}
        assert error_of(answer)["details"] == {"plan": "free"} | details | nothing

    @pytest.mark.parametrize("case", [("pro", [200, 200]), ("max", [200, 402])])
    async def test_admits_a_higher_plan_and_one_with_the_feature(
        self, things: FastAPI, sign_in: SignIn, limited: Limited, subscriber: UUID, case: tuple[str, list[int]]
    ) -> None:
        now = limited.clock.now
        limited.subscriptions.subscribe(subscriber, case[0], now, now.replace(year=2100))
        async with make_client(things) as client:
            answers = [await client.get(f"{API}/things/{path}", headers=await sign_in()) for path in ("pro", "audit")]
        assert [answer.status_code for answer in answers] == case[1]

    async def test_without_a_token_it_is_still_a_401(self, things: FastAPI) -> None:
        async with make_client(things) as client:
            assert (await client.get(f"{API}/things/pro")).status_code == 401


class TestConsumes:
    async def test_uses_quota_and_refuses_when_it_is_used_up(
        self, things: FastAPI, sign_in: SignIn, subscriber: UUID
    ) -> None:
        assert subscriber
        headers = await sign_in()
        async with make_client(things) as client:
            answers = [
                await client.post(f"{API}/things/exports", headers=headers, json={"fails": False}) for _ in range(6)
            ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [402]
        details = error_of(answers[5])["details"]
        assert (details["plan"], details["limit"], details["used"]) == ("pro", 20, 20)
        assert details["resets_at"]

    async def test_a_call_that_fails_is_not_counted(
        self, things: FastAPI, sign_in: SignIn, limited: Limited, runtime: Runtime, subscriber: UUID
    ) -> None:
        headers = await sign_in()
        async with make_client(things) as client:
            answers = [
                await client.post(f"{API}/things/exports", headers=headers, json=body)
                for body in ({"fails": True}, {"fails": "perhaps"}, None)
            ]
        assert [answer.status_code for answer in answers] == [409, 422, 422]
        async with runtime.database.reading() as session:
            assert await limited.plans.remaining(session, subscriber, "exports") == 20

    async def test_another_dependency_that_refuses_gives_the_quota_back(
        self, things: FastAPI, sign_in: SignIn, limited: Limited, runtime: Runtime, user_id: UUID
    ) -> None:
        async with make_client(things) as client:
            answer = await client.post(f"{API}/things/exports", headers=await sign_in(), json={"fails": False})
        assert error_of(answer)["code"] == "FEATURE_REQUIRED"
        async with runtime.database.reading() as session:
            assert await limited.plans.remaining(session, user_id, "exports") == 10

    async def test_works_on_a_websocket(
        self, things: FastAPI, sign_in: SignIn, limited: Limited, runtime: Runtime, subscriber: UUID
    ) -> None:
        headers = await sign_in()
        opened = [await connect(things, headers) for _ in range(6)]

        assert [messages[0]["type"] for messages in opened] == ["websocket.accept"] * 5 + [
            "websocket.http.response.start"
        ]
        assert opened[5][0]["status"] == 402
        async with runtime.database.reading() as session:
            assert await limited.plans.remaining(session, subscriber, "exports") == 0


class TestApiCalls:
    async def test_every_call_of_a_module_counts(
        self, things: FastAPI, sign_in: SignIn, limited: Limited, user_id: UUID
    ) -> None:
        assert limited.plans
        assert user_id
        headers = await sign_in()
        async with make_client(things) as client:
            codes = [(await client.get(f"{API}/things/pro", headers=headers)).json()["error"] for _ in range(11)]
            assert [item["code"] for item in codes] == ["PLAN_REQUIRED"] * 10 + ["QUOTA_EXCEEDED"]
            assert codes[10]["details"]["resource"] == "api_calls"
            # What a user needs to upgrade stays open.
            for path in ("plans", "usage", "users/me"):
                assert (await client.get(f"{API}/{path}", headers=headers)).status_code == 200


class TestDocument:
    async def test_describes_the_requirement(self, things: FastAPI) -> None:
        paths = things.openapi()["paths"]
        responses = paths[f"{API}/things/exports"]["post"]["responses"]
        assert responses["402"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorResponse")
        assert responses["402"]["description"].split("\n\n") == [
            "`QUOTA_EXCEEDED`: The plan allows no more `api_calls`.",
            "`QUOTA_EXCEEDED`: The plan allows no more `exports`.",
            "`FEATURE_REQUIRED`: The user's plan doesn't include `audit_log`.",
        ]
        assert "402" not in paths[f"{API}/usage"]["get"]["responses"]


class TestCheckRoutes:
    def test_names_entries_missing_in_plans_toml(self) -> None:
        wrong = APIRouter(prefix="/wrong")
        for path, needed in (
            ("/plan", RequirePlan("gold")),
            ("/feature", RequireFeature("magic")),
            ("/limit", Consumes("airequests")),
            ("/batch", Consumes("api_calls", 2)),
            ("/right", Consumes("exports", 2)),
        ):
            wrong.add_api_route(path, read_pro, dependencies=[Depends(needed)])
        with pytest.raises(UserError) as raised:
            check_routes([Module(name="wrong", admin_router=wrong)], PlanCatalog.load(PLANS))
        assert [line.split(":")[0].strip() for line in str(raised.value).splitlines()[1:-1]] == [
            f"/wrong/{name}" for name in ("plan", "feature", "limit", "batch")
        ]
