"""The routes for the current user."""

import httpx
import pytest

from app.core.runtime import Runtime
from tests.conftest import ME, SignIn
from tests.statements import statements_of


class TestReadMe:
    async def test_returns_the_current_user(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        answer = await client.get(ME, headers=await sign_in(email="me@example.com"))

        assert answer.status_code == 200
        assert answer.json().keys() == {"id", "email", "full_name", "role", "is_active", "created_at", "updated_at"}
        assert answer.json()["email"] == "me@example.com"


class TestUpdateMe:
    async def test_changes_the_name(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        headers = await sign_in()

        answer = await client.patch(ME, headers=headers, json={"full_name": "  Ada Lovelace "})

        assert answer.status_code == 200
        assert answer.json()["full_name"] == "Ada Lovelace"
        assert (await client.get(ME, headers=headers)).json() == answer.json()

    async def test_null_clears_the_name(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        headers = await sign_in()
        await client.patch(ME, headers=headers, json={"full_name": "Ada"})

        answer = await client.patch(ME, headers=headers, json={"full_name": None})

        assert answer.json()["full_name"] is None

    async def test_an_empty_change_changes_nothing(
        self, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime
    ) -> None:
        headers = await sign_in()
        before = (await client.get(ME, headers=headers)).json()

        with statements_of(runtime.database) as statements:
            answer = await client.patch(ME, headers=headers, json={})

        assert (answer.status_code, answer.json()) == (200, before)
        assert not [statement for statement in statements if statement.startswith("UPDATE")]

    @pytest.mark.parametrize(
        "change",
        [
            {"role": "admin"},
            {"email": "other@example.com"},
            {"is_active": False},
            {"id": "00000000-0000-0000-0000-000000000000"},
            {"full_name": "Ada", "nickname": "A"},
        ],
        ids=lambda change: next(reversed(change)),
    )
    async def test_other_fields_are_refused(
        self, client: httpx.AsyncClient, sign_in: SignIn, change: dict[str, object]
    ) -> None:
        headers = await sign_in()
        before = (await client.get(ME, headers=headers)).json()

        answer = await client.patch(ME, headers=headers, json=change)

        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
        assert (await client.get(ME, headers=headers)).json() == before

    @pytest.mark.parametrize(
        "name",
        ["", "   ", "Ada\0", "Ada\nLovelace", "x" * 201, "x" * 500_000, 7, ["Ada"]],
        ids=lambda name: repr(name)[:12],
    )
    async def test_an_invalid_name_is_refused(self, client: httpx.AsyncClient, sign_in: SignIn, name: object) -> None:
        answer = await client.patch(ME, headers=await sign_in(), json={"full_name": name})

        assert answer.status_code == 422

    @pytest.mark.parametrize("body", [b"null", b"[]", b"", b"{", b'{"full_name": "\\ud800"}', b"\xff"], ids=repr)
    async def test_an_invalid_body_is_refused(self, client: httpx.AsyncClient, sign_in: SignIn, body: bytes) -> None:
        headers = {**await sign_in(), "Content-Type": "application/json"}

        assert (await client.patch(ME, headers=headers, content=body)).status_code in {400, 422}

    @pytest.mark.parametrize(
        "name",
        [
            "Zoë O'Néill-Øst",
            "李小龍",
            "\u0646\u0631\u06af\u0633\u200c\u0647\u0627",  # with a joiner that nobody sees
            "\U0001f469\u200d\U0001f680",
            "Robert'); DROP TABLE users;--",
        ],
        ids=ascii,
    )
    async def test_names_of_all_the_world_are_kept(self, client: httpx.AsyncClient, sign_in: SignIn, name: str) -> None:
        answer = await client.patch(ME, headers=await sign_in(), json={"full_name": name})

        assert (answer.status_code, answer.json()["full_name"]) == (200, name)
