"""Explanations, access to the routes of feature flags, and the trail that changes leave."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from tests.conftest import SignIn
from tests.feature_flags.conftest import ADMIN, FLAGS, create_flag, id_of_caller, list_users
from tests.statements import statements_of
from tests.users.audits import MemoryAudit

ALL: dict[str, Any] = {"everyone": True}
TIME = "2026-01-01T12:00:00Z"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestCheck:
    async def test_explains_the_result(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str]
    ) -> None:
        flag = await create_flag(runtime, "editor", {"percentage": 0}, {"listed": True})
        user_id = await id_of_caller(client, user)
        await list_users(runtime, flag.id, user_id)

        mine = (await client.get(f"{ADMIN}/check/editor", headers=admin)).json()
        theirs = await client.get(f"{ADMIN}/check/editor", headers=admin, params={"user_id": str(user_id)})

        assert (mine["enabled"], mine["reason"], mine["rule"]) == (False, "no_match", None)
        expected = {"key": "editor", "user_id": str(user_id), "enabled": True, "reason": "match", "rule": 1}
        assert theirs.json() == expected

    async def test_names_a_time_that_has_not_come(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        await create_flag(runtime, "sale", ALL, starts_at=utc_now() + timedelta(days=1))

        assert (await client.get(f"{ADMIN}/check/sale", headers=admin)).json()["reason"] == "not_started"

    @pytest.mark.parametrize("path", ["check/none", "key/none", "check/editor?user_id=" + str(UUID(int=7))])
    async def test_a_missing_flag_is_not_found(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], path: str
    ) -> None:
        await create_flag(runtime, "editor", ALL)

        assert code(await client.get(f"{ADMIN}/{path}", headers=admin)) == (404, "NOT_FOUND")


ROUTES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "", None),
    ("POST", "", {"key": "search"}),
    ("GET", "/{id}", None),
    ("GET", "/key/editor", None),
    ("PATCH", "/{id}", {"description": "x"}),
    ("POST", "/{id}/enable", None),
    ("POST", "/{id}/disable", None),
    ("POST", "/{id}/add-user", {"user_id": str(UUID(int=7))}),
    ("POST", "/{id}/remove-user", {"user_id": str(UUID(int=7))}),
    ("GET", "/{id}/users", None),
    ("GET", "/check/editor", None),
    ("DELETE", "/{id}", None),
]


class TestAuthorization:
    @pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda value: str(value)[:30])
    async def test_admin_routes_are_for_administrators(
        self,
        *,
        runtime: Runtime,
        client: httpx.AsyncClient,
        user: dict[str, str],
        method: str,
        path: str,
        body: dict[str, Any] | None,
    ) -> None:
        flag = await create_flag(runtime, "editor", ALL)
        url = ADMIN + path.format(id=flag.id)

        answers = [await client.request(method, url, headers=headers, json=body) for headers in ({}, user)]

        assert [code(answer) for answer in answers] == [(401, "UNAUTHORIZED"), (403, "ADMIN_REQUIRED")]
        assert await runtime.flags.enabled("editor", None)

    async def test_a_deactivated_user_sees_no_flags(
        self, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str]
    ) -> None:
        user_id = await id_of_caller(client, user)
        await client.post(f"/api/v1/admin/users/{user_id}/deactivate", headers=admin)

        assert code(await client.get(FLAGS, headers=user)) == (403, "ACCOUNT_DEACTIVATED")

    async def test_users_see_only_their_own_flags(
        self, runtime: Runtime, client: httpx.AsyncClient, user: dict[str, str], sign_in: SignIn
    ) -> None:
        other = await sign_in(email="other@example.com")
        flag = await create_flag(runtime, "editor", {"listed": True})
        await list_users(runtime, flag.id, await id_of_caller(client, user))

        found = [(await client.get(FLAGS, headers=headers)).json()["enabled"] for headers in (user, other)]

        assert found == [["editor"], []]
        assert code(await client.get(FLAGS)) == (401, "UNAUTHORIZED")


class TestAudit:
    async def test_each_change_is_recorded_and_repetitions_are_not(
        self, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str], audit: MemoryAudit
    ) -> None:
        flag_id = (await client.post(ADMIN, headers=admin, json={"key": "editor"})).json()["id"]
        user_id, key = str(await id_of_caller(client, user)), {"key": "editor"}
        calls: list[tuple[str, str, dict[str, Any] | None]] = [
            ("PATCH", "", {"description": "x", "rules": [{"listed": True}]}),
            ("POST", "/enable", None),
            ("POST", "/disable", None),
            ("POST", "/add-user", {"user_id": user_id}),
            ("POST", "/remove-user", {"user_id": user_id}),
            ("DELETE", "", None),
        ]
        for method, path, body in calls:
            for _ in range(2):
                await client.request(method, f"{ADMIN}/{flag_id}{path}", headers=admin, json=body)

        everyone, listed = [{"everyone": True}], [{"listed": True}]
        none = {"starts_at": (None, None), "ends_at": (None, None)}
        assert [(entry.action, entry.details, entry.changes) for entry in audit.entries] == [
            ("feature_flag.created", key, {"enabled": (None, False), "rules": (None, everyone)} | none),
            ("feature_flag.updated", key, {"description": ("", "x"), "rules": (everyone, listed)}),
            ("feature_flag.enabled", key, {"enabled": (False, True)}),
            ("feature_flag.disabled", key, {"enabled": (True, False)}),
            ("feature_flag.users_added", key | {"user_id": user_id}, {}),
            ("feature_flag.users_removed", key | {"user_id": user_id}, {}),
            ("feature_flag.deleted", key, {"enabled": (False, None), "rules": (listed, None)} | none),
        ]
        actor = await id_of_caller(client, admin)
        assert {(entry.actor_id, entry.target_id) for entry in audit.entries} == {(actor, flag_id)}
        assert all(entry.client for entry in audit.entries)


class TestReading:
    async def test_writes_nothing(self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        flag = await create_flag(runtime, "editor", ALL)
        paths = ["", f"/{flag.id}", f"/{flag.id}/users", "/key/editor", "/check/editor"]

        with statements_of(runtime.database) as sent:
            answers = [await client.get(url, headers=admin) for url in (FLAGS, *(ADMIN + path for path in paths))]

        assert {answer.status_code for answer in answers} == {200}
        assert {statement.split()[0] for statement in sent} <= {"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK"}
