"""Anonymous users, two factors, impersonated users, and revoked tokens."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from fastapi import APIRouter, Depends, FastAPI

from app.auth.local import mint
from app.core.db.models import utc_now
from app.core.http.dependencies import ActorDep
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.dependencies import CurrentUser, require_assurance
from app.users.roles import Role
from app.users.service import UserAdministration
from tests.conftest import ME, SignIn

PAYOUTS = "/api/v1/app/payouts"
USERS = "/api/v1/admin/users"

router = APIRouter(prefix="/payouts")


@router.post("", dependencies=[Depends(require_assurance("aal2"))])
async def pay_out(user: CurrentUser, actor: ActorDep) -> dict[str, str | None]:
    """Report who acts as whom."""
    return {
        "level": user.assurance.level,
        "agent": user.assurance.actor,
        "client": actor.client,
        "actor": str(actor.id),
    }


payouts = Module(name="payouts", router=router)


def bearer(runtime: Runtime, **changes: object) -> dict[str, str]:
    """Return the headers of a user of the local issuer, with other claims than `mint` sets."""
    email = str(changes.pop("email", "user@example.com"))
    claims: dict[str, Any] = jwt.decode(mint(runtime.settings, email=email), options={"verify_signature": False})
    token = jwt.encode(claims | changes, runtime.settings.SECRET_KEY.get_secret_value(), algorithm="HS256")
    return {"Authorization": f"Bearer {token}"}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestAnonymous:
    async def test_is_refused(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await client.get(ME, headers=bearer(runtime, is_anonymous=True))

        assert code(answer) == (401, "ANONYMOUS_NOT_ALLOWED")

    async def test_does_not_count_as_a_failed_authentication(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answers = [
            await client.get(ME, headers=bearer(runtime, sub=f"user_{number}", is_anonymous=True))
            for number in range(10)
        ]

        assert {answer.status_code for answer in answers} == {401}


class TestAllowedAnonymous:
    @pytest.fixture(autouse=True)
    def allow(self, monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG002 - before the runtime
        monkeypatch.setenv("AUTH_ALLOW_ANONYMOUS", "true")
        monkeypatch.setenv("RATE_LIMIT_ANONYMOUS", "3/minute")

    async def test_many_users_of_an_address_share_one_limit(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answers = [
            await client.get(ME, headers=bearer(runtime, sub=f"user_{number}", is_anonymous=True))
            for number in range(4)
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert (await client.get(ME, headers=bearer(runtime))).status_code == 200


class TestRequireAssurance:
    @pytest.fixture
    def app(self, runtime: Runtime) -> FastAPI:
        return create_app([*MODULES, payouts], runtime=runtime)

    async def test_one_factor_is_not_enough(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await client.post(PAYOUTS, headers=bearer(runtime))

        assert code(answer) == (401, "ASSURANCE_REQUIRED")
        assert answer.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", acr_values="aal2"'
        )
        assert answer.json()["error"]["details"] == {"required": "aal2"}

    async def test_two_factors_are(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await client.post(PAYOUTS, headers=bearer(runtime, amr=["pwd", "mfa"]))

        assert (answer.status_code, answer.json()["level"]) == (200, "aal2")

    async def test_the_caller_names_the_actor_and_a_pseudonym_of_the_address(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        headers = bearer(runtime, amr=["mfa"], act={"sub": "agent_1"})
        me = (await client.get(ME, headers=headers)).json()
        answer = (await client.post(PAYOUTS, headers=headers)).json()

        assert (answer["agent"], answer["actor"]) == ("agent_1", me["id"])
        assert len(answer["client"]) == 16
        assert "127.0.0.1" not in answer["client"]


class TestRevokedTokens:
    async def test_tokens_issued_before_are_refused_and_new_ones_accepted(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        old, new = bearer(runtime, iat=jwt_time(-60)), bearer(runtime, iat=jwt_time(+5))
        without = bearer(runtime, iat=None)
        user_id = UUID((await client.get(ME, headers=old)).json()["id"])

        async with runtime.database.transaction() as session:
            await UserAdministration(session, runtime.audit).revoke_tokens(user_id)

        assert code(await client.get(ME, headers=old)) == (401, "TOKEN_REVOKED")
        assert (await client.get(ME, headers=new)).status_code == 200
        assert (await client.get(ME, headers=without)).status_code == 401


def jwt_time(seconds: int) -> int:
    """Return a time relative to now, as tokens state it."""
    return int((utc_now() + timedelta(seconds=seconds)).timestamp())


async def test_an_impersonated_administrator_has_no_administrative_rights(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
) -> None:
    admin = await sign_in(email="user@example.com", role=Role.ADMIN)
    agent = bearer(runtime, act={"sub": "agent_1"})

    assert (await client.get(USERS, headers=admin)).status_code == 200
    assert code(await client.get(USERS, headers=agent)) == (403, "ADMIN_REQUIRED")
    assert (await client.get(ME, headers=agent)).json()["role"] == "user"
