"""Routes that require a role or a permission."""

import asyncio
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.dependencies import CurrentUser, require_permission, require_role
from app.users.models import users
from app.users.role_checks import UNKNOWN_ROLES
from app.users.roles import AccessPolicy, Role, RoleDefinition
from tests.conftest import ME, SignIn, make_client
from tests.users.audits import MemoryAudit
from tests.users.test_assurance import bearer

POLICY = AccessPolicy(
    ("tickets:read", "tickets:answer"),
    (
        RoleDefinition("support", permissions=("tickets:read", "tickets:answer")),
        RoleDefinition("analyst", permissions=("tickets:read",)),
    ),
)
TICKETS = "/api/v1/app/tickets"
USERS = "/api/v1/admin/users"

router = APIRouter(prefix="/tickets", dependencies=[Depends(require_permission("tickets:read"))])


@router.get("")
async def list_tickets(user: CurrentUser) -> list[str]:
    """List the permissions of the current user."""
    return sorted(user.permissions)


@router.post("/answer", dependencies=[Depends(require_permission("tickets:answer"))])
async def answer_ticket() -> None:
    """Answer."""


@router.post("/close", dependencies=[Depends(require_role("support", "analyst")), Depends(require_role("support"))])
async def close_ticket() -> None:
    """Close."""


tickets = Module(name="tickets", router=router)


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    runtime.provide(AccessPolicy, POLICY)
    return create_app([*MODULES, tickets], runtime=runtime)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def statuses(client: httpx.AsyncClient, headers: dict[str, str]) -> list[int]:
    """Return the statuses of the three routes."""
    answers = [
        await client.get(TICKETS, headers=headers),
        await client.post(f"{TICKETS}/answer", headers=headers),
        await client.post(f"{TICKETS}/close", headers=headers),
    ]
    return [answer.status_code for answer in answers]


class TestGuards:
    @pytest.mark.parametrize(
        ("role", "expected"),
        [
            ("user", [403, 403, 403]),
            ("analyst", [200, 403, 403]),
            ("support", [200, 200, 200]),
            ("admin", [200, 200, 200]),
            ("removed", [403, 403, 403]),
        ],
    )
    async def test_admit_users_with_the_role_or_the_permission(
        self, client: httpx.AsyncClient, sign_in: SignIn, role: str, expected: list[int]
    ) -> None:
        assert await statuses(client, await sign_in(role=role)) == expected

    async def test_the_errors_name_the_requirement(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        headers = await sign_in(role="analyst")

        missing = await client.post(f"{TICKETS}/answer", headers=headers)
        other = await client.post(f"{TICKETS}/close", headers=headers)

        assert (*code(missing), missing.json()["error"]["details"]) == (
            403,
            "PERMISSION_REQUIRED",
            {"required": "tickets:answer"},
        )
        assert (*code(other), other.json()["error"]["details"]) == (403, "ROLE_REQUIRED", {"required": ["support"]})

    async def test_an_own_role_does_not_open_the_admin_area(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        assert code(await client.get(USERS, headers=await sign_in(role="support"))) == (403, "ADMIN_REQUIRED")

    async def test_no_token_is_refused_first(self, client: httpx.AsyncClient) -> None:
        assert code(await client.get(TICKETS)) == (401, "UNAUTHORIZED")


class TestAssignment:
    async def test_takes_effect_with_the_next_request_in_both_directions(
        self, client: httpx.AsyncClient, sign_in: SignIn, admin: dict[str, str], audit: MemoryAudit
    ) -> None:
        headers = await sign_in()
        url = f"{USERS}/{(await client.get(ME, headers=headers)).json()['id']}"
        seen = []
        for role in ("support", "analyst", "user"):
            answer = await client.patch(url, headers=admin, json={"role": role})
            assert (answer.status_code, answer.json()["role"]) == (200, role)
            seen.append(await statuses(client, headers))

        assert seen == [[200, 200, 200], [200, 403, 403], [403, 403, 403]]
        assert [entry.changes["role"] for entry in audit.entries] == [
            ("user", "support"),
            ("support", "analyst"),
            ("analyst", "user"),
        ]

    @pytest.mark.parametrize("role", ["user", "support"])
    async def test_users_cannot_promote_themselves(
        self, client: httpx.AsyncClient, sign_in: SignIn, audit: MemoryAudit, role: str
    ) -> None:
        headers = await sign_in(role=role)
        me = (await client.get(ME, headers=headers)).json()

        for change in ({"role": "admin"}, {"full_name": "x", "role": "admin"}, {"permissions": ["tickets:answer"]}):
            assert code(await client.patch(ME, headers=headers, json=change)) == (422, "VALIDATION_ERROR")
        answer = await client.patch(f"{USERS}/{me['id']}", headers=headers, json={"role": "admin"})

        assert code(answer) == (403, "ADMIN_REQUIRED")
        assert (await client.get(ME, headers=headers)).json() == me
        assert audit.entries == []

    async def test_administrators_cannot_give_themselves_another_role(
        self, client: httpx.AsyncClient, sign_in: SignIn, admin: dict[str, str]
    ) -> None:
        await sign_in(email="second@example.com", role=Role.ADMIN)
        url = f"{USERS}/{(await client.get(ME, headers=admin)).json()['id']}"

        assert code(await client.patch(url, headers=admin, json={"role": "support"})) == (403, "OWN_ACCOUNT")

    async def test_two_administrators_who_demote_each_other_leave_one(
        self, live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        live_runtime.provide(AccessPolicy, POLICY)
        headers = [await live_sign_in(email=f"{name}@example.com", role=Role.ADMIN) for name in ("one", "two")]
        urls = [f"{USERS}/{(await live_client.get(ME, headers=one)).json()['id']}" for one in headers]

        answers = await asyncio.gather(
            live_client.patch(urls[1], headers=headers[0], json={"role": "support"}),
            live_client.patch(urls[0], headers=headers[1], json={"role": "analyst"}),
        )

        # The slower one is no longer an administrator, or is the last one.
        assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])


class TestRemovedRole:
    async def test_counts_as_user_and_is_logged_once(
        self, client: httpx.AsyncClient, sign_in: SignIn, capsys: pytest.CaptureFixture[str]
    ) -> None:
        headers = await sign_in(role="gone")

        roles = [(await client.get(ME, headers=headers)).json()["role"] for _ in range(2)]

        assert roles == ["user", "user"]
        assert capsys.readouterr().out.count("unknown_role_treated_as_user") == 1

    async def test_administrators_find_such_users_and_give_them_another_role(
        self, client: httpx.AsyncClient, sign_in: SignIn, admin: dict[str, str]
    ) -> None:
        headers = await sign_in(role="outdated")
        found = (await client.get(USERS, headers=admin, params={"role": "outdated"})).json()["items"]

        answer = await client.patch(f"{USERS}/{found[0]['id']}", headers=admin, json={"role": "support"})

        assert answer.json()["role"] == "support"
        assert (await client.get(ME, headers=headers)).json()["role"] == "support"

    async def test_is_reported_by_the_doctor(
        self, runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn
    ) -> None:
        runtime.provide(AccessPolicy, POLICY)
        assert await UNKNOWN_ROLES.check(runtime) == []
        headers = await sign_in()
        user_id = UUID((await client.get(ME, headers=headers)).json()["id"])
        async with runtime.database.transaction() as session:
            await session.execute(users.update().where(users.c.id == user_id).values(role="gone"))

        (warning,) = await UNKNOWN_ROLES.check(runtime)

        assert warning.startswith("1 users have the role gone, which app/project_roles.py does not define.")


class TestSchema:
    def test_operations_state_their_requirements(self, app: FastAPI) -> None:
        paths = app.openapi()["paths"]
        answer, close = paths[f"{TICKETS}/answer"]["post"], paths[f"{TICKETS}/close"]["post"]

        assert answer["x-required-permissions"] == ["tickets:read", "tickets:answer"]
        assert answer["description"] == (
            "Answer.\n\nRequires the permission `tickets:read`.\n\nRequires the permission `tickets:answer`."
        )
        assert answer["responses"]["403"]["description"] == "`PERMISSION_REQUIRED`"
        assert close["x-required-roles"] == ["support", "admin"]
        assert close["responses"]["403"]["description"] == "`PERMISSION_REQUIRED`\n\n`ROLE_REQUIRED`"
        assert close["responses"]["403"]["content"] == close["responses"]["default"]["content"]

    def test_so_do_the_operations_of_administrators(self, app: FastAPI) -> None:
        for path, operations in app.openapi()["paths"].items():
            for operation in operations.values():
                if "/admin/" in path:
                    assert operation["x-required-roles"] == ["admin"], path
                    assert operation["responses"]["403"]["description"] == "`ADMIN_REQUIRED`", path


async def test_a_role_in_the_token_is_ignored(app: FastAPI, runtime: Runtime) -> None:
    async with make_client(app) as client:
        for claims in ({"role": "admin"}, {"roles": ["admin", "support"]}, {"app_metadata": {"role": "support"}}):
            headers = bearer(runtime, **claims)
            assert (await client.get(ME, headers=headers)).json()["role"] == "user"
            assert await statuses(client, headers) == [403, 403, 403]
