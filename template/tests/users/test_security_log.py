"""The security log and the default audit trail: what they contain, and what they never do."""

import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.auth.events import IdentityDeleted
from app.auth.local import LOCAL_PROVIDER, local_subject, mint
from app.core.db.models import utc_now
from app.core.observability.pseudonym import pseudonym
from app.core.runtime import Runtime
from app.users.roles import Role
from app.users.service import UserAdministration
from app.users.subscribers import on_identity_deleted
from tests.conftest import ME, SignIn

USERS = "/api/v1/admin/users"
PSEUDONYM = re.compile("[0-9a-f]{16}")


@pytest.fixture
def lines(runtime: Runtime) -> Iterator[list[EventDict]]:  # noqa: ARG001 - starting configures the log
    """The lines that are logged from now on."""
    with capture_logs() as captured:
        yield captured


def named(lines: list[EventDict], event: str) -> list[EventDict]:
    return [line for line in lines if line["event"] == event]


class TestRefusedTokens:
    async def test_are_logged_with_the_reason_and_the_pseudonym_of_the_address(
        self, client: httpx.AsyncClient, runtime: Runtime, lines: list[EventDict]
    ) -> None:
        expired = mint(runtime.settings, email="private@example.com", expires_in=timedelta(minutes=-5))
        for token in ("made.up.token", expired):
            await client.get(ME, headers={"Authorization": f"Bearer {token}"})

        refused = named(lines, "token_refused")
        assert [line["reason"] for line in refused] == ["format", "expired"]
        assert len({line["client"] for line in refused}) == 1
        assert all(PSEUDONYM.fullmatch(line["client"]) for line in refused)
        assert not any(word in str(lines) for word in ("private@example.com", "127.0.0.1", expired, "made.up"))


class TestAuditTrail:
    async def test_changes_by_administrators_are_logged(
        self, client: httpx.AsyncClient, sign_in: SignIn, lines: list[EventDict]
    ) -> None:
        admin, user = await sign_in(email="admin@example.com", role=Role.ADMIN), await sign_in()
        admin_id, user_id = [(await client.get(ME, headers=one)).json()["id"] for one in (admin, user)]
        await client.patch(f"{USERS}/{user_id}", headers=admin, json={"role": "admin", "full_name": "Secret Name"})
        await client.post(f"{USERS}/{user_id}/deactivate", headers=admin)

        updated, deactivated = named(lines, "audit")
        assert (updated["action"], updated["actor_id"], updated["target_id"]) == ("user.updated", admin_id, user_id)
        assert updated["changes"] == {"full_name": [None, "[redacted]"], "role": ["user", "admin"]}
        assert deactivated["action"] == "user.deactivated"
        assert PSEUDONYM.fullmatch(updated["client"])
        assert not any(word in str(lines) for word in ("Secret Name", "admin@example.com", "127.0.0.1"))

    async def test_a_user_who_is_deleted_at_the_provider_is_logged(
        self, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime, lines: list[EventDict]
    ) -> None:
        user_id = (await client.get(ME, headers=await sign_in())).json()["id"]
        event = IdentityDeleted(provider=LOCAL_PROVIDER, subject=local_subject("user@example.com"), at=utc_now())
        for _ in range(2):
            await on_identity_deleted(runtime, event)

        (line,) = named(lines, "audit")
        assert (line["action"], line["target_id"], line["actor_id"]) == ("user.deactivated", user_id, None)

    async def test_a_rollback_is_not_logged(
        self, client: httpx.AsyncClient, sign_in: SignIn, runtime: Runtime, lines: list[EventDict]
    ) -> None:
        user_id = UUID((await client.get(ME, headers=await sign_in())).json()["id"])

        async def revoke_and_fail() -> None:
            async with runtime.database.transaction() as session:
                await UserAdministration(session, runtime.audit).revoke_tokens(user_id)
                raise LookupError

        with pytest.raises(LookupError):
            await revoke_and_fail()

        assert named(lines, "audit") == []


class TestPseudonym:
    def test_is_the_same_for_an_address_and_depends_on_the_secret(self) -> None:
        one, other = SecretStr("a" * 32), SecretStr("b" * 32)

        assert pseudonym(one, "192.0.2.1") == pseudonym(one, "192.0.2.1")
        assert len({pseudonym(one, "192.0.2.1"), pseudonym(one, "192.0.2.2"), pseudonym(other, "192.0.2.1")}) == 3
