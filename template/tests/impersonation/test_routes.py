"""Start, stop and list impersonations; requests as the user; and what is refused."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import select, update
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.http.route_dependencies import routes_with_dependencies
from app.core.runtime import Runtime
from app.impersonation.models import EndReason, Impersonation
from app.impersonation.service import close_ended
from app.impersonation.tokens import ISSUER
from app.users.caller_sources import CallerSources
from app.users.dependencies import private
from app.users.erasure import erase_user
from app.users.models import users
from app.users.roles import Role
from app.users.service import UserAdministration
from tests.conftest import ME
from tests.impersonation.conftest import ACTIVE, START, STOP, People, Person, code


def claims_of(headers: dict[str, str]) -> dict[str, Any]:
    token = headers["Authorization"].removeprefix("Bearer ")
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def change_user(runtime: Runtime, user_id: UUID, **values: object) -> None:
    async with runtime.database.transaction() as session:
        await session.execute(update(users).where(users.c.id == user_id).values(values))


class TestStart:
    async def test_the_token_names_the_user_and_the_actor(
        self, acting: dict[str, str], admin: Person, user: Person
    ) -> None:
        claims = claims_of(acting)

        assert (claims["sub"], claims["act"], claims["iss"]) == (str(user.id), {"sub": str(admin.id)}, ISSUER)
        assert claims["exp"] - claims["iat"] == 15 * 60

    async def test_the_response_is_that_of_a_token_exchange(
        self, client: httpx.AsyncClient, admin: Person, user: Person
    ) -> None:
        answer = await client.post(START, headers=admin.headers, json={"user_id": str(user.id), "reason": "Ticket 1"})
        body = answer.json()

        assert (answer.status_code, body["token_type"], body["expires_in"]) == (201, "Bearer", 900)
        assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
        assert body["impersonation"]["user_id"] == str(user.id)

    async def test_an_administrator_is_refused(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        other = await people.person("other@example.com", Role.ADMIN)
        answer = await client.post(START, headers=admin.headers, json={"user_id": str(other.id), "reason": "x"})

        assert code(answer) == (403, "ADMIN_NOT_IMPERSONATED")

    async def test_oneself_is_refused(self, client: httpx.AsyncClient, admin: Person) -> None:
        answer = await client.post(START, headers=admin.headers, json={"user_id": str(admin.id), "reason": "x"})

        assert code(answer) == (403, "OWN_ACCOUNT")

    async def test_a_deactivated_user_is_refused(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: Person, user: Person
    ) -> None:
        await change_user(runtime, user.id, is_active=False)
        answer = await client.post(START, headers=admin.headers, json={"user_id": str(user.id), "reason": "x"})

        assert code(answer) == (409, "USER_INACTIVE")

    async def test_an_unknown_user_is_not_found(self, client: httpx.AsyncClient, admin: Person) -> None:
        answer = await client.post(START, headers=admin.headers, json={"user_id": str(uuid4()), "reason": "x"})

        assert code(answer) == (404, "NOT_FOUND")

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 101, "me@example.com", "a\nb"])
    async def test_the_reason_is_a_short_reference(
        self, client: httpx.AsyncClient, admin: Person, user: Person, reason: str
    ) -> None:
        answer = await client.post(START, headers=admin.headers, json={"user_id": str(user.id), "reason": reason})

        assert answer.status_code == 422

    async def test_another_one_ends_the_first(
        self, client: httpx.AsyncClient, people: People, admin: Person, acting: dict[str, str]
    ) -> None:
        second = await people.start(admin, await people.person("second@example.com"))

        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        assert (await client.get(ME, headers=second)).json()["email"] == "second@example.com"


class TestRequests:
    async def test_are_those_of_the_user_and_name_both(
        self, client: httpx.AsyncClient, acting: dict[str, str], admin: Person, user: Person
    ) -> None:
        answer = await client.get(ME, headers=acting)

        assert answer.json()["id"] == str(user.id)
        assert answer.headers["X-Impersonation"] == f"impersonator={admin.id}; user={user.id}"

    async def test_requests_of_the_user_have_no_such_header(self, client: httpx.AsyncClient, user: Person) -> None:
        assert "X-Impersonation" not in (await client.get(ME, headers=user.headers)).headers

    async def test_the_access_log_names_both(
        self,
        client: httpx.AsyncClient,
        acting: dict[str, str],
        admin: Person,
        user: Person,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        await client.get(ME, headers=acting)
        line = capsys.readouterr().out.splitlines()[-1]

        assert f"user_id={user.id}" in line
        assert f"impersonator_id={admin.id}" in line

    async def test_a_change_as_the_user_names_the_administrator_as_the_actor(
        self, client: httpx.AsyncClient, acting: dict[str, str], admin: Person, user: Person
    ) -> None:
        assert (await client.patch(ME, headers=acting, json={"full_name": "Ada"})).status_code == 200
        query = {"impersonated_id": str(user.id), "action": "impersonation.used"}
        logged = (await client.get("/api/v1/admin/dashboard/audit-logs", headers=admin.headers, params=query)).json()

        (entry,) = logged["items"]
        assert (entry["action"], entry["actor_id"]) == ("impersonation.used", str(admin.id))
        assert entry["target_id"] == f"PATCH {ME}"

    async def test_reading_as_the_user_writes_nothing(
        self, client: httpx.AsyncClient, acting: dict[str, str], admin: Person, user: Person
    ) -> None:
        await client.get(ME, headers=acting)
        query = {"impersonated_id": str(user.id), "action": "impersonation.used"}
        logged = (await client.get("/api/v1/admin/dashboard/audit-logs", headers=admin.headers, params=query)).json()

        assert logged["items"] == []


class TestEnd:
    async def test_stop_ends_it_at_once(
        self, client: httpx.AsyncClient, acting: dict[str, str], admin: Person, user: Person
    ) -> None:
        answer = await client.post(STOP, headers=admin.headers)

        assert [each["user_id"] for each in answer.json()["items"]] == [str(user.id)]
        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        assert (await client.post(STOP, headers=admin.headers)).json() == {"items": []}

    async def test_stop_ends_work_that_outlives_a_request(
        self, client: httpx.AsyncClient, runtime: Runtime, acting: dict[str, str], admin: Person
    ) -> None:
        find_ended = runtime.resource(CallerSources).find_ended
        id_, unknown = UUID(claims_of(acting)["jti"]), uuid4()
        assert await find_ended(runtime, [id_, unknown]) == {unknown}
        await client.post(STOP, headers=admin.headers)

        assert await find_ended(runtime, [id_]) == {id_}

    async def test_another_administrator_stops_it_by_its_id(
        self, client: httpx.AsyncClient, people: People, acting: dict[str, str]
    ) -> None:
        other = await people.person("other@example.com", Role.ADMIN)
        body = {"impersonation_id": claims_of(acting)["jti"]}

        assert (await client.post(STOP, headers=other.headers)).json() == {"items": []}
        assert (await client.get(ME, headers=acting)).status_code == 200
        assert (await client.post(STOP, headers=other.headers, json=body)).status_code == 200
        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        assert code(await client.post(STOP, headers=other.headers, json=body)) == (404, "NOT_FOUND")

    @pytest.mark.parametrize("whose", ["user", "admin"])
    @pytest.mark.parametrize(
        "change",
        [
            {"is_active": False},
            {"role": {"user": Role.ADMIN.value, "admin": Role.USER.value}},
            {"tokens_valid_from": utc_now() + timedelta(days=1)},
        ],
        ids=["deactivated", "another role", "tokens revoked"],
    )
    async def test_a_change_of_either_ends_it_at_once(
        self, people: People, admin: Person, user: Person, whose: str, change: dict[str, Any]
    ) -> None:
        acting = await people.start(admin, user)
        client, runtime = people.client, people.runtime
        assert (await client.get(ME, headers=acting)).status_code == 200
        values = {name: value[whose] if isinstance(value, dict) else value for name, value in change.items()}
        await change_user(runtime, {"user": user, "admin": admin}[whose].id, **values)

        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        other = await people.person("other@example.com", Role.ADMIN)
        assert (await client.get(ACTIVE, headers=other.headers)).json()["total"] == 0
        before = {"user": Role.USER.value, "admin": Role.ADMIN.value}[whose]
        changed = {"user": user, "admin": admin}[whose].id
        await change_user(runtime, changed, is_active=True, role=before, tokens_valid_from=None)
        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        assert await close_ended(runtime) == 0
        query = {"action": "impersonation.ended"}
        logged = (await client.get("/api/v1/admin/dashboard/audit-logs", headers=other.headers, params=query)).json()
        assert [entry["details"]["reason"] for entry in logged["items"]] == ["revoked"]

    async def test_ends_when_it_expires(
        self, client: httpx.AsyncClient, runtime: Runtime, acting: dict[str, str], admin: Person
    ) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(Impersonation).values(expires_at=utc_now() - timedelta(seconds=1)))

        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        assert (await client.get(ACTIVE, headers=admin.headers)).json()["items"] == []
        assert await close_ended(runtime) == 0
        async with runtime.database.reading() as session:
            assert await session.scalar(select(col(Impersonation.end_reason))) == EndReason.EXPIRED

    async def test_an_erased_user_leaves_no_row(
        self, client: httpx.AsyncClient, runtime: Runtime, acting: dict[str, str], user: Person
    ) -> None:
        assert await erase_user(runtime, user.id)

        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")
        async with runtime.database.reading() as session:
            assert (await session.scalars(select(Impersonation))).all() == []

    async def test_the_list_and_the_audit_log_agree(
        self, client: httpx.AsyncClient, runtime: Runtime, people: People
    ) -> None:
        admins = [await people.person(f"admin{number}@example.com", Role.ADMIN) for number in range(4)]
        victims = [await people.person(f"user{number}@example.com") for number in range(4)]
        for admin, victim in zip(admins, victims, strict=True):
            await people.start(admin, victim)
        await people.start(admins[0], victims[3])
        await client.post(STOP, headers=admins[1].headers)
        async with runtime.database.transaction() as session:
            await UserAdministration(session, runtime.audit).deactivate(victims[2].id)
        await close_ended(runtime)

        active = (await client.get(ACTIVE, headers=admins[0].headers)).json()
        query = {"action": "impersonation.*", "limit": "100"}
        logged = (
            await client.get("/api/v1/admin/dashboard/audit-logs", headers=admins[0].headers, params=query)
        ).json()["items"]
        by_action: dict[str, set[str]] = {"impersonation.started": set(), "impersonation.ended": set()}
        for entry in logged:
            by_action[entry["action"]].add(entry["details"]["impersonation_id"])
        assert len(by_action["impersonation.started"]) == 5
        assert {entry["impersonated_id"] for entry in logged} == {str(victim.id) for victim in victims}
        open_ = by_action["impersonation.started"] - by_action["impersonation.ended"]
        assert {each["id"] for each in active["items"]} == open_
        assert {each["admin_id"] for each in active["items"]} == {str(admins[0].id), str(admins[3].id)}


class TestTokens:
    @pytest.mark.parametrize("key", ["of the application", "of another one"])
    async def test_one_that_another_key_signed_is_refused(
        self, client: httpx.AsyncClient, runtime: Runtime, acting: dict[str, str], key: str
    ) -> None:
        secret = runtime.settings.SECRET_KEY.get_secret_value() if key == "of the application" else "x" * 64
        forged = jwt.encode(claims_of(acting), secret, algorithm="HS256")

        assert code(await client.get(ME, headers={"Authorization": f"Bearer {forged}"})) == (401, "INVALID_TOKEN")

    async def test_one_without_an_impersonation_is_refused(
        self, client: httpx.AsyncClient, runtime: Runtime, acting: dict[str, str]
    ) -> None:
        async with runtime.database.transaction() as session:
            await session.delete((await session.scalars(select(Impersonation))).one())

        assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")


@pytest.mark.every_module
class TestRefusedRoutes:
    """Those of your own modules included."""

    @pytest.fixture(autouse=True)
    def room_for_many_requests(self, monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG002 - before the runtime
        monkeypatch.setenv("RATE_LIMIT_DEFAULT", "10000/minute")

    async def test_every_admin_route(self, client: httpx.AsyncClient, app: FastAPI, acting: dict[str, str]) -> None:
        answers = {}
        for context in iter_route_contexts(app.routes):
            if (context.path or "").startswith("/api/v1/admin/"):
                path = re.sub(r"{[^}]*}", str(uuid4()), context.path or "")
                for method in context.methods or ():
                    answers[method, path] = (await client.request(method, path, headers=acting)).status_code

        assert ("POST", START) in answers
        assert set(answers.values()) == {403}, answers

    async def test_every_private_route(self, client: httpx.AsyncClient, app: FastAPI, acting: dict[str, str]) -> None:
        for context, calls in routes_with_dependencies(app.routes):
            if private in calls:
                path = re.sub(r"{[^}]*}", "cs_1", context.path or "")
                for method in context.methods or ():
                    answer = await client.request(method, path, headers=acting, json={})
                    assert code(answer) == (403, "IMPERSONATION_NOT_ALLOWED"), (method, path)

    async def test_billing_is_private(self, app: FastAPI) -> None:
        for context, calls in routes_with_dependencies(app.routes):
            if (context.path or "").startswith("/api/v1/app/billing"):
                assert private in calls, context.path
