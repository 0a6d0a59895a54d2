"""The guards of requests."""

from datetime import timedelta
from uuid import UUID

import httpx
import jwt
import pytest
from sqlalchemy import update

from app.auth.local import mint
from app.core.runtime import Runtime
from app.users.models import users
from app.users.roles import Role
from tests.conftest import ME, SignIn
from tests.statements import statements_of

ADMIN = "/api/v1/admin/users"


async def set_user(runtime: Runtime, user_id: str, **values: object) -> None:
    async with runtime.database.transaction() as session:
        await session.execute(update(users).where(users.c.id == UUID(user_id)).values(**values))


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


class TestToken:
    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token", "Bearer\t"], ids=repr)
    async def test_a_malformed_header_is_refused(self, client: httpx.AsyncClient, header: str) -> None:
        answer = await client.get(ME, headers={"Authorization": header})

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_a_missing_header_is_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.get(ME)

        assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")

    async def test_the_scheme_is_read_in_any_case(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        token = (await sign_in())["Authorization"].removeprefix("Bearer ")

        assert (await client.get(ME, headers={"Authorization": f"bearer {token}"})).status_code == 200

    async def test_an_expired_token_is_refused(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        token = mint(runtime.settings, email="late@example.com", expires_in=timedelta(minutes=-5))

        answer = await client.get(ME, headers={"Authorization": f"Bearer {token}"})

        assert (answer.status_code, code(answer)) == (401, "INVALID_TOKEN")

    async def test_a_token_in_the_query_is_ignored(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        token = mint(runtime.settings, email="me@example.com")

        assert (await client.get(ME, params={"access_token": token, "token": token})).status_code == 401


class TestLimits:
    @pytest.fixture(autouse=True)
    def strict_limits(self, monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG002 - before the runtime
        monkeypatch.setenv("RATE_LIMIT_DEFAULT", "3/minute")
        monkeypatch.setenv("RATE_LIMIT_AUTH", "2/minute")

    async def test_guessing_tokens_is_limited(self, client: httpx.AsyncClient) -> None:
        headers = {"Authorization": "Bearer made.up.token"}
        answers = [await client.get(ME, headers=headers) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0

    async def test_expired_tokens_do_not_count_as_guesses(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        expired = [
            mint(runtime.settings, email=f"{name}@example.com", expires_in=timedelta(minutes=-5)) for name in "abcd"
        ]
        answers = [await client.get(ME, headers={"Authorization": f"Bearer {token}"}) for token in expired]

        assert [answer.status_code for answer in answers] == [401] * 4

    async def test_guessing_from_an_address_does_not_hide_that_a_token_has_expired(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        for _ in range(3):
            await client.get(ME, headers={"Authorization": "Bearer made.up.token"})
        expired = mint(runtime.settings, email="late@example.com", expires_in=timedelta(minutes=-5))

        answer = await client.get(ME, headers={"Authorization": f"Bearer {expired}"})

        assert (answer.status_code, code(answer)) == (401, "INVALID_TOKEN")

    async def test_one_expired_token_is_limited(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        expired = mint(runtime.settings, email="late@example.com", expires_in=timedelta(minutes=-5))
        headers = {"Authorization": f"Bearer {expired}"}
        answers = [await client.get(ME, headers=headers) for _ in range(4)]
        renewed = {"Authorization": f"Bearer {mint(runtime.settings, email='late@example.com')}"}

        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert (await client.get(ME, headers=renewed)).status_code == 200

    async def test_requests_without_a_token_do_not_count_as_guesses(self, client: httpx.AsyncClient) -> None:
        answers = [await client.get(ME) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]

    async def test_a_limited_user_causes_no_statement(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        headers = {"Authorization": f"Bearer {mint(runtime.settings, email='eager@example.com')}"}
        for _ in range(3):
            await client.get(ME, headers=headers)

        with statements_of(runtime.database) as statements:
            answer = await client.get(ME, headers=headers)

        assert answer.status_code == 429
        assert statements == []

    async def test_another_user_behind_the_same_address_is_not_affected(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        one, other = (
            {"Authorization": f"Bearer {mint(runtime.settings, email=email)}"}
            for email in ("one@example.com", "other@example.com")
        )
        for _ in range(4):
            limited = await client.get(ME, headers=one)

        assert limited.status_code == 429
        assert (await client.get(ME, headers=other)).status_code == 200


class TestKnownUser:
    async def test_is_found_with_one_statement_that_only_reads(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in()

        with statements_of(live_runtime.database) as statements:
            answer = await live_client.get(ME, headers=headers)

        assert answer.status_code == 200
        assert [statement.split()[0] for statement in statements] == ["SELECT"]

    async def test_is_the_same_user_each_time(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        headers = await sign_in()

        first, second = [(await client.get(ME, headers=headers)).json() for _ in range(2)]

        assert first == second


class TestDeactivated:
    async def test_is_refused_immediately(self, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime) -> None:
        headers = await sign_in()
        me = (await client.get(ME, headers=headers)).json()

        await set_user(runtime, me["id"], is_active=False)
        answer = await client.get(ME, headers=headers)

        assert (answer.status_code, code(answer)) == (403, "ACCOUNT_DEACTIVATED")

    async def test_an_administrator_is_refused_in_both_areas(
        self, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime
    ) -> None:
        headers = await sign_in(role=Role.ADMIN)
        me = (await client.get(ME, headers=headers)).json()
        assert (await client.get(ADMIN, headers=headers)).status_code == 200

        await set_user(runtime, me["id"], is_active=False)

        assert code(await client.get(ADMIN, headers=headers)) == "ACCOUNT_DEACTIVATED"
        assert code(await client.get(ME, headers=headers)) == "ACCOUNT_DEACTIVATED"


class TestRoles:
    async def test_a_former_administrator_is_refused_immediately(
        self, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime
    ) -> None:
        headers = await sign_in(role=Role.ADMIN)
        me = (await client.get(ME, headers=headers)).json()
        assert (await client.get(ADMIN, headers=headers)).status_code == 200

        await set_user(runtime, me["id"], role=Role.USER)
        answer = await client.get(ADMIN, headers=headers)

        assert (answer.status_code, code(answer)) == (403, "ADMIN_REQUIRED")

    async def test_a_role_in_the_token_is_ignored(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        claims = jwt.decode(mint(runtime.settings, email="sly@example.com"), options={"verify_signature": False})
        claims |= {"role": "admin", "roles": ["admin"], "user_metadata": {"role": "admin"}, "is_admin": True}
        token = jwt.encode(claims, runtime.settings.SECRET_KEY.get_secret_value(), algorithm="HS256")
        headers = {"Authorization": f"Bearer {token}"}

        assert (await client.get(ME, headers=headers)).json()["role"] == "user"
        assert (await client.get(ADMIN, headers=headers)).status_code == 403


class TestAccessLog:
    async def test_names_the_user_and_not_their_address(
        self, capsys: pytest.CaptureFixture[str], client: httpx.AsyncClient, sign_in: SignIn
    ) -> None:
        headers = await sign_in(email="private@example.com")
        me = (await client.get(ME, headers=headers)).json()

        log = capsys.readouterr().out

        assert me["id"] in log
        assert "private@example.com" not in log
