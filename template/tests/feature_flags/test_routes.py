"""The routes of feature flags."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.runtime import Runtime
from app.feature_flags import service
from tests.feature_flags.conftest import ADMIN, FLAGS, create_flag, create_users, id_of_caller, list_users
from tests.statements import statements_of

ALL: dict[str, Any] = {"everyone": True}
TIME = "2026-01-01T12:00:00Z"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestCreate:
    async def test_returns_the_flag(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        body = {
            "key": "new-editor",
            "description": " For testers and a tenth of all subscribers. ",
            "enabled": True,
            "rules": [{"listed": True}, {"plans": ["pro"], "percentage": 10}],
            "starts_at": TIME,
            "ends_at": "2027-01-01T12:00:00+01:00",
        }

        answer = await client.post(ADMIN, headers=admin, json=body)

        assert answer.status_code == 201, answer.text
        flag = answer.json()
        assert flag["rules"] == [{"listed": True}, {"plans": ["pro"], "percentage": 10}]
        assert (flag["key"], flag["description"]) == ("new-editor", "For testers and a tenth of all subscribers.")
        assert (flag["enabled"], flag["user_count"]) == (True, 0)
        assert (flag["starts_at"], flag["ends_at"]) == (TIME, "2027-01-01T11:00:00Z")
        for path in (flag["id"], "key/new-editor"):
            assert (await client.get(f"{ADMIN}/{path}", headers=admin)).json() == flag

    async def test_by_default_it_is_disabled_and_then_for_everyone(
        self, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str]
    ) -> None:
        flag = (await client.post(ADMIN, headers=admin, json={"key": "banner"})).json()
        before = (await client.get(FLAGS, headers=user)).json()

        await client.post(f"{ADMIN}/{flag['id']}/enable", headers=admin)

        assert before == {"enabled": []}
        assert (await client.get(FLAGS, headers=user)).json() == {"enabled": ["banner"]}

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"key": ""},
            {"key": "New-Editor"},
            {"key": "new editor"},
            {"key": "editor-"},
            {"key": "1st"},
            {"key": "a\0b"},
            {"key": "x" * 101},
            {"key": "editor", "description": "x" * 501},
            {"key": "editor", "enabled": None},
            {"key": "editor", "rules": [{}]},
            {"key": "editor", "rules": [ALL] * 11},
            {"key": "editor", "rules": [{"percentage": 101}]},
            {"key": "editor", "rules": [{"percentage": "10"}]},
            {"key": "editor", "rules": [{"everyone": True, "listed": True}]},
            {"key": "editor", "rules": None},
            {"key": "editor", "starts_at": "2026-01-01T12:00:00"},
            {"key": "editor", "starts_at": "soon"},
            {"key": "editor", "starts_at": "0001-01-01T00:00:00+23:00"},
            {"key": "editor", "id": str(UUID(int=1))},
        ],
        ids=lambda body: ascii(body)[:50],
    )
    async def test_rejects_invalid_values(
        self, client: httpx.AsyncClient, admin: dict[str, str], body: dict[str, Any]
    ) -> None:
        assert code(await client.post(ADMIN, headers=admin, json=body)) == (422, "VALIDATION_ERROR")

    async def test_rejects_an_end_before_the_start(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        body = {"key": "sale", "starts_at": TIME, "ends_at": TIME}

        assert code(await client.post(ADMIN, headers=admin, json=body)) == (422, "FLAG_TIMES")
        assert (await client.get(ADMIN, headers=admin)).json()["total"] == 0

    async def test_rejects_a_key_that_is_taken(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        await create_flag(runtime, "editor", ALL)

        assert code(await client.post(ADMIN, headers=admin, json={"key": "editor"})) == (409, "CONFLICT")

    async def test_rejects_more_than_the_maximum(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "MAX_FLAGS", 1)
        await create_flag(runtime, "editor", ALL)

        assert code(await client.post(ADMIN, headers=admin, json={"key": "search"})) == (409, "TOO_MANY_FLAGS")


class TestList:
    @pytest.mark.parametrize(
        ("query", "keys"),
        [
            ({}, ["gamma", "beta", "alpha"]),
            ({"limit": 1, "skip": 1}, ["beta"]),
            ({"sort": "key"}, ["alpha", "beta", "gamma"]),
            ({"enabled": "false"}, ["beta"]),
            ({"search": "AMM"}, ["gamma"]),
            ({"search": "second"}, ["beta"]),
        ],
        ids=str,
    )
    async def test_filters_sorts_and_counts(
        self,
        *,
        runtime: Runtime,
        client: httpx.AsyncClient,
        admin: dict[str, str],
        user_id: UUID,
        query: dict[str, str],
        keys: list[str],
    ) -> None:
        await create_flag(runtime, "alpha", ALL)
        await create_flag(runtime, "beta", ALL, enabled=False, description="The second one.")
        await list_users(runtime, (await create_flag(runtime, "gamma", {"listed": True})).id, user_id)

        with statements_of(runtime.database) as sent:
            page = (await client.get(ADMIN, headers=admin, params=query)).json()

        assert [flag["key"] for flag in page["items"]] == keys
        assert {flag["key"]: flag["user_count"] for flag in page["items"]}.get("gamma", 1) == 1
        assert len([statement for statement in sent if "feature_flags" in statement]) == 1

    @pytest.mark.parametrize("query", [{"limit": 101}, {"sort": "id"}, {"colour": "red"}], ids=str)
    async def test_rejects_unknown_parameters(
        self, client: httpx.AsyncClient, admin: dict[str, str], query: dict[str, str]
    ) -> None:
        assert code(await client.get(ADMIN, headers=admin, params=query)) == (422, "VALIDATION_ERROR")


class TestChange:
    async def test_takes_effect_at_once(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str]
    ) -> None:
        flag = await create_flag(runtime, "editor", ALL, description="Kept.")
        assert (await client.get(FLAGS, headers=user)).json() == {"enabled": ["editor"]}

        changed = await client.patch(f"{ADMIN}/{flag.id}", headers=admin, json={"rules": [{"percentage": 0}]})

        assert changed.json()["rules"][0]["percentage"] == 0
        assert (changed.json()["enabled"], changed.json()["description"]) == (True, "Kept.")
        assert (await client.get(FLAGS, headers=user)).json() == {"enabled": []}

    async def test_checks_the_times_against_those_that_stay(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        path = f"{ADMIN}/{(await create_flag(runtime, 'sale', ALL, starts_at=TIME)).id}"

        early = await client.patch(path, headers=admin, json={"ends_at": "2025-12-31T12:00:00Z"})
        late = await client.patch(path, headers=admin, json={"ends_at": "2026-01-02T12:00:00Z"})
        cleared = await client.patch(path, headers=admin, json={"starts_at": None})

        assert code(early) == (422, "FLAG_TIMES")
        assert (late.json()["ends_at"], late.status_code) == ("2026-01-02T12:00:00Z", 200)
        assert cleared.json()["starts_at"] is None

    @pytest.mark.parametrize(
        "body", [{"key": "other"}, {"enabled": None}, {"rules": None}, {"description": None}], ids=str
    )
    async def test_rejects_invalid_values(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], body: dict[str, Any]
    ) -> None:
        flag = await create_flag(runtime, "editor", ALL)

        assert code(await client.patch(f"{ADMIN}/{flag.id}", headers=admin, json=body)) == (422, "VALIDATION_ERROR")

    async def test_a_deleted_flag_is_off_and_gone(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str]
    ) -> None:
        flag = await create_flag(runtime, "editor", {"listed": True})
        await list_users(runtime, flag.id, await id_of_caller(client, user))

        assert (await client.delete(f"{ADMIN}/{flag.id}", headers=admin)).status_code == 204

        assert (await client.get(FLAGS, headers=user)).json() == {"enabled": []}
        assert code(await client.get(f"{ADMIN}/{flag.id}", headers=admin)) == (404, "NOT_FOUND")


class TestUsers:
    async def test_are_added_and_removed_once(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], user: dict[str, str]
    ) -> None:
        path = f"{ADMIN}/{(await create_flag(runtime, 'editor', {'listed': True})).id}"
        body = {"user_id": str(await id_of_caller(client, user))}

        counts = [
            (await client.post(f"{path}/{action}", headers=admin, json=body)).json()["user_count"]
            for action in ("add-user", "add-user")
        ]
        on = (await client.get(FLAGS, headers=user)).json()
        listed = (await client.get(f"{path}/users", headers=admin)).json()
        counts += [
            (await client.post(f"{path}/{action}", headers=admin, json=body)).json()["user_count"]
            for action in ("remove-user", "remove-user")
        ]

        assert counts == [1, 1, 0, 0]
        assert on == {"enabled": ["editor"]}
        assert [(item["user_id"], item["email"]) for item in listed["items"]] == [(body["user_id"], "user@example.com")]
        assert (await client.get(FLAGS, headers=user)).json() == {"enabled": []}

    async def test_a_thousand_at_once(self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        path = f"{ADMIN}/{(await create_flag(runtime, 'editor', {'listed': True})).id}"
        ids = [str(user_id) for user_id in await create_users(runtime, 1000)]

        with statements_of(runtime.database) as sent:
            added = await client.post(f"{path}/add-user", headers=admin, json={"user_ids": ids})

        assert added.json()["user_count"] == 1000
        assert len(sent) < 15
        assert (await client.get(f"{path}/users", headers=admin, params={"limit": 1})).json()["total"] == 1000

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"user_id": None},
            {"user_ids": []},
            {"user_id": str(UUID(int=1)), "user_ids": [str(UUID(int=2))]},
            {"user_id": "me"},
            {"user_ids": [str(UUID(int=1))] * 1001},
        ],
        ids=lambda body: str(body)[:40],
    )
    @pytest.mark.parametrize("action", ["add-user", "remove-user"])
    async def test_rejects_other_bodies(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], action: str, body: dict[str, Any]
    ) -> None:
        flag = await create_flag(runtime, "editor", {"listed": True})

        answer = await client.post(f"{ADMIN}/{flag.id}/{action}", headers=admin, json=body)

        assert code(answer) == (422, "VALIDATION_ERROR")

    async def test_no_user_is_added_if_one_does_not_exist(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], user_id: UUID
    ) -> None:
        path = f"{ADMIN}/{(await create_flag(runtime, 'editor', {'listed': True})).id}"

        answer = await client.post(
            f"{path}/add-user", headers=admin, json={"user_ids": [str(user_id), str(UUID(int=7))]}
        )

        assert (code(answer), answer.json()["error"]["details"]["id"]) == ((404, "NOT_FOUND"), str(UUID(int=7)))
        assert (await client.get(path, headers=admin)).json()["user_count"] == 0

    async def test_a_list_has_a_maximum_length(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "MAX_LISTED_USERS", 1)
        path = f"{ADMIN}/{(await create_flag(runtime, 'editor', {'listed': True})).id}"
        ids = [str(user_id) for user_id in await create_users(runtime, 2)]

        answers = [
            await client.post(f"{path}/add-user", headers=admin, json={"user_ids": some}) for some in (ids[:1], ids)
        ]

        assert (answers[0].status_code, code(answers[1])) == (200, (409, "FLAG_LIST_FULL"))
        assert (await client.get(path, headers=admin)).json()["user_count"] == 1
