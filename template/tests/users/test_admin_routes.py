"""The admin routes for users."""

from uuid import uuid4

import httpx
import pytest

from app.core.db.log_audit import shown_changes
from app.users.roles import Role
from tests.conftest import ME, SignIn
from tests.users.audits import MemoryAudit

USERS = "/api/v1/admin/users"


async def id_of(client: httpx.AsyncClient, headers: dict[str, str]) -> str:
    return str((await client.get(ME, headers=headers)).json()["id"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestListUsers:
    @pytest.fixture(autouse=True)
    async def some_users(self, client: httpx.AsyncClient, sign_in: SignIn, admin: dict[str, str]) -> None:  # noqa: ARG002
        for name in ("Ann", "Bob", "Ann-Marie"):
            headers = await sign_in(email=f"{name.lower()}@example.com")
            await client.patch(ME, headers=headers, json={"full_name": f"{name} 100%"})

    async def test_lists_the_newest_first(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        answer = (await client.get(USERS, headers=admin)).json()

        emails = [item["email"] for item in answer["items"]]
        assert emails == ["ann-marie@example.com", "bob@example.com", "ann@example.com", "admin@example.com"]
        assert (answer["total"], answer["skip"], answer["limit"]) == (4, 0, 20)

    async def test_is_paginated(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        answer = (await client.get(USERS, headers=admin, params={"skip": 1, "limit": 2})).json()

        assert [item["email"] for item in answer["items"]] == ["bob@example.com", "ann@example.com"]
        assert (answer["total"], answer["skip"], answer["limit"]) == (4, 1, 2)

    async def test_a_page_past_the_end_is_empty(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        answer = (await client.get(USERS, headers=admin, params={"skip": 100})).json()

        assert (answer["items"], answer["total"]) == ([], 4)

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("ANN@", ["ann@example.com"]),
            ("ann-m", ["ann-marie@example.com"]),
            ("Bob 1", ["bob@example.com"]),
            ("nobody", []),
            ("_nn", []),
            ("%", ["ann-marie@example.com", "bob@example.com", "ann@example.com"]),
            ("\\", []),
            ("' OR 1=1 --", []),
        ],
    )
    async def test_searches_addresses_and_names_literally(
        self, client: httpx.AsyncClient, admin: dict[str, str], search: str, found: list[str]
    ) -> None:
        answer = (await client.get(USERS, headers=admin, params={"search": search})).json()

        assert [item["email"] for item in answer["items"]] == found
        assert answer["total"] == len(found)

    async def test_filters_by_role_and_activity(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        bob = (await client.get(USERS, headers=admin, params={"search": "bob@"})).json()["items"][0]["id"]
        await client.post(f"{USERS}/{bob}/deactivate", headers=admin)

        admins = (await client.get(USERS, headers=admin, params={"role": "admin"})).json()
        gone = (await client.get(USERS, headers=admin, params={"is_active": "false"})).json()
        plain = (await client.get(USERS, headers=admin, params={"role": "user", "is_active": "true"})).json()

        assert [item["email"] for item in admins["items"]] == ["admin@example.com"]
        assert [item["id"] for item in gone["items"]] == [bob]
        assert plain["total"] == 2

    @pytest.mark.parametrize(
        "params",
        [
            {"limit": 0},
            {"limit": 1000},
            {"limit": -1},
            {"skip": -1},
            {"skip": 10**30},
            {"role": "Root"},
            {"role": "\u0430dmin"},
            {"role": "x" * 51},
            {"is_active": "perhaps"},
            {"search": "a\0b"},
            {"search": "x" * 101},
        ],
        ids=str,
    )
    async def test_an_invalid_query_is_refused(
        self, client: httpx.AsyncClient, admin: dict[str, str], params: dict[str, str]
    ) -> None:
        assert code(await client.get(USERS, headers=admin, params=params)) == (422, "VALIDATION_ERROR")


class TestReadUser:
    async def test_returns_the_user(self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn) -> None:
        headers = await sign_in()
        me = (await client.get(ME, headers=headers)).json()

        assert (await client.get(f"{USERS}/{me['id']}", headers=admin)).json() == me

    async def test_an_unknown_user_is_404(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert code(await client.get(f"{USERS}/{uuid4()}", headers=admin)) == (404, "NOT_FOUND")

    async def test_an_invalid_id_is_422(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert code(await client.get(f"{USERS}/1", headers=admin)) == (422, "VALIDATION_ERROR")


class TestUpdateUser:
    async def test_a_new_role_applies_to_the_next_request(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn, audit: MemoryAudit
    ) -> None:
        headers = await sign_in()
        user_id = await id_of(client, headers)

        answer = await client.patch(f"{USERS}/{user_id}", headers=admin, json={"role": "admin"})

        assert (answer.status_code, answer.json()["role"]) == (200, "admin")
        assert (await client.get(USERS, headers=headers)).status_code == 200
        (entry,) = audit.entries
        assert (entry.action, entry.target_type, entry.target_id) == ("user.updated", "user", user_id)
        assert str(entry.actor_id) == await id_of(client, admin)
        assert entry.changes == {"role": ("user", "admin")}

    async def test_changes_the_name_and_records_the_change_without_the_name(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn, audit: MemoryAudit
    ) -> None:
        user_id = await id_of(client, await sign_in())

        answer = await client.patch(f"{USERS}/{user_id}", headers=admin, json={"full_name": "Grace"})

        assert answer.json()["full_name"] == "Grace"
        assert [shown_changes(entry) for entry in audit.entries] == [{"full_name": [None, "[redacted]"]}]

    async def test_an_update_without_a_change_is_not_recorded(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn, audit: MemoryAudit
    ) -> None:
        user_id = await id_of(client, await sign_in())

        for change in ({}, {"role": "user"}, {"full_name": None}):
            answer = await client.patch(f"{USERS}/{user_id}", headers=admin, json=change)
            assert answer.status_code == 200

        assert audit.entries == []

    async def test_administrators_cannot_change_their_own_role(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn
    ) -> None:
        await sign_in(email="second@example.com", role=Role.ADMIN)

        answer = await client.patch(f"{USERS}/{await id_of(client, admin)}", headers=admin, json={"role": "user"})

        assert code(answer) == (403, "OWN_ACCOUNT")
        assert (await client.get(USERS, headers=admin)).status_code == 200

    async def test_administrators_can_change_their_own_name(
        self, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        url = f"{USERS}/{await id_of(client, admin)}"

        answer = await client.patch(url, headers=admin, json={"full_name": "Root", "role": "admin"})

        assert (answer.status_code, answer.json()["full_name"]) == (200, "Root")

    @pytest.mark.parametrize(
        "change",
        [
            {"role": None},
            {"role": "Admin"},
            {"role": "admin "},
            {"role": "admin\n"},
            {"role": "\u0430dmin"},
            {"role": "ad\u200bmin"},
            {"role": ["admin"]},
            {"role": "x" * 51},
            {"permissions": ["projects:export"]},
            {"email": "a@example.com"},
            {"is_active": False},
        ],
        ids=str,
    )
    async def test_other_fields_are_refused(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn, change: dict[str, object]
    ) -> None:
        user_id = await id_of(client, await sign_in())

        answer = await client.patch(f"{USERS}/{user_id}", headers=admin, json=change)

        assert code(answer) == (422, "VALIDATION_ERROR")

    async def test_an_unknown_role_is_refused(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn
    ) -> None:
        user_id = await id_of(client, await sign_in())

        answer = await client.patch(f"{USERS}/{user_id}", headers=admin, json={"role": "root"})

        assert code(answer) == (422, "UNKNOWN_ROLE")
        assert {"user", "admin"} <= set(answer.json()["error"]["details"]["roles"])

    async def test_an_unknown_user_is_404(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert code(await client.patch(f"{USERS}/{uuid4()}", headers=admin, json={})) == (404, "NOT_FOUND")


class TestDeactivateUser:
    async def test_the_user_is_refused_until_they_are_activated(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn, audit: MemoryAudit
    ) -> None:
        headers = await sign_in()
        user_id = await id_of(client, headers)

        deactivated = await client.post(f"{USERS}/{user_id}/deactivate", headers=admin)
        assert (deactivated.status_code, deactivated.json()["is_active"]) == (200, False)
        assert code(await client.get(ME, headers=headers)) == (403, "ACCOUNT_DEACTIVATED")

        activated = await client.post(f"{USERS}/{user_id}/activate", headers=admin)
        assert (activated.status_code, activated.json()["is_active"]) == (200, True)
        assert (await client.get(ME, headers=headers)).status_code == 200
        changes = [entry.action for entry in audit.entries if entry.actor_id is not None]
        assert changes == ["user.deactivated", "user.activated"]

    async def test_a_repetition_is_not_recorded(
        self, client: httpx.AsyncClient, admin: dict[str, str], sign_in: SignIn, audit: MemoryAudit
    ) -> None:
        user_id = await id_of(client, await sign_in())

        for verb in ("activate", "deactivate", "deactivate"):
            assert (await client.post(f"{USERS}/{user_id}/{verb}", headers=admin)).status_code == 200

        assert [entry.action for entry in audit.entries] == ["user.deactivated"]

    @pytest.mark.parametrize("verb", ["activate", "deactivate"])
    async def test_administrators_cannot_deactivate_themselves(
        self, client: httpx.AsyncClient, admin: dict[str, str], verb: str
    ) -> None:
        answer = await client.post(f"{USERS}/{await id_of(client, admin)}/{verb}", headers=admin)

        assert code(answer) == (403, "OWN_ACCOUNT")

    @pytest.mark.parametrize("verb", ["activate", "deactivate"])
    async def test_an_unknown_user_is_404(self, client: httpx.AsyncClient, admin: dict[str, str], verb: str) -> None:
        assert code(await client.post(f"{USERS}/{uuid4()}/{verb}", headers=admin)) == (404, "NOT_FOUND")
