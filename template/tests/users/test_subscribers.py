"""News of the provider of identities: late, twice, and in any order."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select

from app.auth.authenticator import Authenticator
from app.auth.events import IdentityChanged, IdentityDeleted
from app.auth.local import mint
from app.auth.port import Identity
from app.core.runtime import Runtime
from app.users.caller import Caller
from app.users.errors import AccountDeactivatedError
from app.users.identities import find_caller
from app.users.models import user_identities, users
from app.users.roles import Role
from tests.conftest import ME, SignIn

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOMEBODY = Identity(provider="test", subject="somebody")


def changed(minutes: int = 0, *, email: str | None = "new@example.com", name: str | None = "New") -> IdentityChanged:
    at = NOON + timedelta(minutes=minutes)
    return IdentityChanged(provider="test", subject="somebody", email=email, name=name, at=at)


def deleted(minutes: int = 0) -> IdentityDeleted:
    return IdentityDeleted(provider="test", subject="somebody", at=NOON + timedelta(minutes=minutes))


async def tell(runtime: Runtime, *events: IdentityChanged | IdentityDeleted) -> None:
    """Publish the events one after another, as webhooks do."""
    for event in events:
        async with runtime.database.transaction() as session:
            await runtime.events.publish(session, event)
        await runtime.queue.drain()


async def somebody(runtime: Runtime) -> Caller:
    caller = await find_caller(runtime.database, SOMEBODY)
    assert caller is not None
    return caller


async def count_users(runtime: Runtime) -> int:
    async with runtime.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(users)) or 0


class TestIdentityChanged:
    async def test_creates_an_unknown_user(self, runtime: Runtime) -> None:
        await tell(runtime, changed(email="New@Example.com"))

        caller = await somebody(runtime)
        assert (caller.email, caller.full_name, caller.role) == ("new@example.com", "New", Role.USER)

    async def test_updates_the_profile(self, runtime: Runtime) -> None:
        await tell(runtime, changed(0), changed(1, email="newer@example.com", name="Newer"))

        caller = await somebody(runtime)
        assert (caller.email, caller.full_name) == ("newer@example.com", "Newer")
        assert await count_users(runtime) == 1

    async def test_a_repeated_event_is_ignored(self, runtime: Runtime) -> None:
        await tell(runtime, changed(), changed())

        assert await count_users(runtime) == 1

    async def test_an_older_event_that_arrives_late_is_ignored(self, runtime: Runtime) -> None:
        await tell(runtime, changed(5), changed(0, email="old@example.com", name="Old"))

        caller = await somebody(runtime)
        assert (caller.email, caller.full_name) == ("new@example.com", "New")

    async def test_an_address_that_the_provider_removed_is_removed(self, runtime: Runtime) -> None:
        await tell(runtime, changed(0), changed(1, email=None))

        assert (await somebody(runtime)).email is None

    async def test_finds_the_user_that_a_request_created(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        headers = await sign_in(email="me@example.com")
        identity = await runtime.resource(Authenticator).authenticate(mint(runtime.settings, email="me@example.com"))

        await tell(
            runtime,
            IdentityChanged(
                provider=identity.provider, subject=identity.subject, email="moved@example.com", name="Me", at=NOON
            ),
        )

        me = (await client.get(ME, headers=headers)).json()
        assert (me["email"], me["full_name"]) == ("moved@example.com", "Me")

    async def test_a_name_chosen_here_is_kept_until_the_provider_changes_it(self, runtime: Runtime) -> None:
        await tell(runtime, changed(0, name="Ada"))
        async with runtime.database.transaction() as session:
            await session.execute(users.update().values(full_name="Countess"))

        await tell(runtime, changed(1, email="moved@example.com", name="Ada"))
        assert (await somebody(runtime)).full_name == "Countess"

        await tell(runtime, changed(2, name="Ada Lovelace"))
        assert (await somebody(runtime)).full_name == "Ada Lovelace"

    async def test_does_not_activate_a_deactivated_user(self, runtime: Runtime) -> None:
        await tell(runtime, changed(0))
        async with runtime.database.transaction() as session:
            await session.execute(users.update().values(is_active=False))

        await tell(runtime, changed(1))

        with pytest.raises(AccountDeactivatedError):
            await somebody(runtime)

    async def test_at_the_same_time_as_first_requests_makes_one_user(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        token = mint(live_runtime.settings, email="me@example.com")
        identity = await live_runtime.resource(Authenticator).authenticate(token)
        event = IdentityChanged(
            provider=identity.provider, subject=identity.subject, email="me@example.com", name="Me", at=NOON
        )

        headers = {"Authorization": f"Bearer {token}"}
        answers = await asyncio.gather(
            *(live_client.get(ME, headers=headers) for _ in range(10)), *(tell(live_runtime, event) for _ in range(10))
        )

        assert {answer.status_code for answer in answers if answer is not None} == {200}
        assert await count_users(live_runtime) == 1


class TestIdentityDeleted:
    async def test_shuts_the_user_out(self, runtime: Runtime) -> None:
        await tell(runtime, changed(0), deleted(1))

        with pytest.raises(AccountDeactivatedError):
            await somebody(runtime)

    @pytest.mark.parametrize("minutes", [-5, 1, 10])
    async def test_later_events_do_not_restore_the_user(self, runtime: Runtime, minutes: int) -> None:
        await tell(runtime, changed(0), deleted(1), changed(minutes))

        with pytest.raises(AccountDeactivatedError):
            await somebody(runtime)
        assert await count_users(runtime) == 1

    async def test_before_the_first_event_prevents_a_later_user(self, runtime: Runtime) -> None:
        await tell(runtime, deleted(1), changed(0), deleted(1))

        with pytest.raises(AccountDeactivatedError):
            await somebody(runtime)
        assert await count_users(runtime) == 0

    async def test_a_valid_token_does_not_create_a_user(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        token = mint(runtime.settings, email="gone@example.com")
        identity = await runtime.resource(Authenticator).authenticate(token)
        await tell(runtime, IdentityDeleted(provider=identity.provider, subject=identity.subject, at=NOON))

        answer = await client.get(ME, headers={"Authorization": f"Bearer {token}"})

        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ACCOUNT_DEACTIVATED")
        assert await count_users(runtime) == 0

    async def test_keeps_a_user_with_another_identity(self, runtime: Runtime) -> None:
        await tell(runtime, changed(0))
        caller = await somebody(runtime)
        async with runtime.database.transaction() as session:
            await session.execute(
                user_identities.insert().values(
                    id=caller.id,
                    provider="other",
                    subject="same person",
                    user_id=caller.id,
                    created_at=NOON,
                    updated_at=NOON,
                )
            )

        await tell(runtime, deleted(1))

        still = await find_caller(runtime.database, Identity(provider="other", subject="same person"))
        assert still is not None
        with pytest.raises(AccountDeactivatedError):
            await somebody(runtime)

    async def test_an_administrator_restores_the_user_and_old_events_stay_ignored(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        await tell(runtime, changed(0))
        user_id = (await somebody(runtime)).id
        await tell(runtime, deleted(1))
        admin = await sign_in(email="admin@example.com", role=Role.ADMIN)

        await client.post(f"/api/v1/admin/users/{user_id}/activate", headers=admin)
        await tell(runtime, changed(0, name="Old"))

        caller = await somebody(runtime)
        assert (caller.id, caller.full_name) == (user_id, "New")
