"""All that is kept of a user: shown to who asks, and gone when they go."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Column, Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import visitors
from sqlmodel import col
from structlog.testing import capture_logs

from app.auth.events import IdentityChanged
from app.core.data_policy.daily_report import make_report
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import metadata, utc_now
from app.core.jobs.event_bus import EventBus
from app.core.manifest import Module, ModuleList, PersonalData, Subscriber, modules_of
from app.core.ports.audit import AuditEntry
from app.core.ports.user_files import NoUserFiles
from app.core.runtime import Runtime
from app.modules import MODULES
from app.users.data_policy import DELETED_IDENTITY_RETENTION
from app.users.erasure import erase_user
from app.users.errors import LastAdminError
from app.users.events import ExportReady
from app.users.jobs import delete_user_data, export_user_data
from app.users.models import User, user_identities, users
from app.users.roles import Role
from tests.conftest import ME, SignIn
from tests.users.audits import MemoryAudit

PARTS: list[PersonalData] = [part for module in MODULES for part in module.personal_data]


@pytest.fixture
async def headers(sign_in: SignIn) -> dict[str, str]:
    """The headers of the user who is erased."""
    return await sign_in(email="going@example.com")


@pytest.fixture
async def user_id(client: httpx.AsyncClient, headers: dict[str, str]) -> UUID:
    """The id of the user who is erased."""
    return UUID((await client.get(ME, headers=headers)).json()["id"])


async def count(runtime: Runtime, table: Table) -> int:
    async with runtime.database.reading() as session:
        return (await session.scalars(select(func.count()).select_from(table))).one()


def columns_to_users() -> Iterator[Column[Any]]:
    """Every column of every module that leads to users."""
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            if key.column.table is users:
                yield key.parent


@pytest.mark.every_module
class TestEveryModule:
    @pytest.mark.parametrize("column", sorted(columns_to_users(), key=str), ids=str)
    def test_declares_personal_data_for_each_column_that_refers_to_users(self, column: Column[Any]) -> None:
        asked = [part.belongs(uuid4()) for part in PARTS if part.model.__table__ is column.table]  # type: ignore[attr-defined]
        columns = {element for condition in asked for element in visitors.iterate(condition)}
        assert column in columns, f"{column} leads to users: its module's `personal_data` must name {column.table}."

    def test_declares_personal_data_once_for_each_table(self) -> None:
        tables = [part.model.__tablename__ for part in PARTS]
        assert len(tables) == len(set(tables))


class TestExportUserData:
    @pytest.fixture(autouse=True)
    def no_files(self, runtime: Runtime) -> None:
        """Whatever this project keeps files in, here is nothing."""
        runtime.user_files = NoUserFiles()

    async def test_has_the_profile_and_the_identities(self, runtime: Runtime, user_id: UUID) -> None:
        exported = await export_user_data(runtime, str(user_id))

        assert exported is not None
        assert exported["user_id"] == str(user_id)
        assert set(exported["tables"]) == {str(part.model.__tablename__) for part in PARTS}
        (profile,) = exported["tables"]["users"]
        assert (profile["email"], profile["role"]) == ("going@example.com", "user")
        (identity,) = exported["tables"]["user_identities"]
        assert identity["user_id"] == str(user_id)

    async def test_has_no_data_of_other_users(self, runtime: Runtime, user_id: UUID, sign_in: SignIn) -> None:
        await sign_in(email="other@example.com")

        assert "other@example.com" not in str(await export_user_data(runtime, str(user_id)))

    async def test_publishes_an_event(self, runtime: Runtime, user_id: UUID) -> None:
        # The events of the sign-in, whose subscribers are not listed below.
        await runtime.queue.drain()
        heard: list[ExportReady] = []

        async def hear(_runtime: Runtime, event: ExportReady) -> None:
            heard.append(event)

        runtime.events = EventBus(runtime, [Subscriber(ExportReady, hear)])
        await export_user_data(runtime, str(user_id))
        await runtime.queue.drain()

        assert [(event.user_id, event.file_id) for event in heard] == [(user_id, None)]

    async def test_of_an_unknown_user_does_nothing(self, runtime: Runtime) -> None:
        assert await export_user_data(runtime, str(uuid4())) is None


class TestEraseUser:
    async def test_removes_the_user_and_marks_the_identity_as_erased(self, runtime: Runtime, user_id: UUID) -> None:
        assert await erase_user(runtime, user_id)

        assert await count(runtime, users) == 0
        async with runtime.database.reading() as session:
            (left,) = (await session.execute(select(user_identities))).all()
        assert (left.user_id, left.name, left.profile_at) == (None, None, None)
        assert left.deleted_at is not None

    async def test_waits_for_the_preparations_of_modules(self, runtime: Runtime, user_id: UUID) -> None:
        calls: list[UUID] = []

        async def end(_runtime: Runtime, user: UUID) -> None:
            calls.append(user)
            if len(calls) == 1:
                raise ConnectionError("no answer")

        runtime.provide(ModuleList, ModuleList((*modules_of(runtime), Module(name="shop", before_erasure=(end,)))))
        with pytest.raises(ConnectionError):
            await erase_user(runtime, user_id)
        assert await count(runtime, users) == 1

        assert await erase_user(runtime, user_id)
        assert calls == [user_id, user_id]
        assert await count(runtime, users) == 0

    async def test_does_not_affect_other_users(
        self, runtime: Runtime, user_id: UUID, sign_in: SignIn, client: httpx.AsyncClient
    ) -> None:
        other = await sign_in(email="other@example.com")
        await erase_user(runtime, user_id)

        assert (await client.get(ME, headers=other)).status_code == 200

    async def test_a_valid_token_does_not_restore_the_user(
        self, runtime: Runtime, user_id: UUID, client: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        await erase_user(runtime, user_id)

        assert (await client.get(ME, headers=headers)).status_code == 403
        assert await count(runtime, users) == 0

    async def test_late_events_of_the_provider_do_not_restore_the_user(self, runtime: Runtime, user_id: UUID) -> None:
        async with runtime.database.reading() as session:
            known = (await session.execute(select(user_identities))).one()
        await erase_user(runtime, user_id)
        news = IdentityChanged(
            provider=known.provider, subject=known.subject, email="going@example.com", name="Going", at=utc_now()
        )
        async with runtime.database.transaction() as session:
            await runtime.events.publish(session, news)
        await runtime.queue.drain()

        assert await count(runtime, users) == 0

    async def test_can_be_repeated(self, runtime: Runtime, user_id: UUID, audit: MemoryAudit) -> None:
        assert await erase_user(runtime, user_id)
        assert not await erase_user(runtime, user_id)

        assert len(audit.entries) == 1

    async def test_continues_after_a_kill(
        self, runtime: Runtime, user_id: UUID, audit: MemoryAudit, client: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        killed = PersonalData(model=User, belongs=lambda user_id: col(User.id) == user_id, erase=die)
        whole = modules_of(runtime)
        runtime.provide(ModuleList, ModuleList((*whole, Module(name="fatal", personal_data=(killed,)))))
        with pytest.raises(KeyboardInterrupt):
            await erase_user(runtime, user_id)
        # From the first moment on the user adds nothing.
        assert (await client.get(ME, headers=headers)).status_code == 403
        assert not any(entry.action == "user.erased" for entry in audit.entries)

        runtime.provide(ModuleList, ModuleList(whole))
        assert await erase_user(runtime, user_id)
        assert await count(runtime, users) == 0
        assert [entry.action for entry in audit.entries].count("user.erased") == 1

    async def test_is_recorded_with_the_actor(self, runtime: Runtime, user_id: UUID, audit: MemoryAudit) -> None:
        actor = uuid4()
        await delete_user_data(runtime, str(user_id), str(actor))

        assert audit.entries == [
            AuditEntry(actor_id=actor, action="user.erased", target_type="user", target_id=str(user_id))
        ]

    async def test_keeps_the_last_administrator(
        self, runtime: Runtime, user_id: UUID, sign_in: SignIn, client: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        await sign_in(email="going@example.com", role=Role.ADMIN)
        with pytest.raises(LastAdminError):
            await erase_user(runtime, user_id)
        with capture_logs() as logs:
            await delete_user_data(runtime, str(user_id))

        assert [entry["event"] for entry in logs] == ["erasure_refused"]
        assert (await client.get(ME, headers=headers)).status_code == 200

    async def test_erases_an_administrator_if_another_exists(
        self, runtime: Runtime, user_id: UUID, sign_in: SignIn
    ) -> None:
        await sign_in(email="going@example.com", role=Role.ADMIN)
        await sign_in(email="staying@example.com", role=Role.ADMIN)

        assert await erase_user(runtime, user_id)
        assert await count(runtime, users) == 1


class TestAtTheSameTime:
    async def test_one_of_the_last_two_administrators_is_kept(
        self, live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        headers = [await live_sign_in(email=f"{name}@example.com", role=Role.ADMIN) for name in ("one", "two")]
        ids = [UUID((await live_client.get(ME, headers=one)).json()["id"]) for one in headers]

        outcomes = await asyncio.gather(*(erase_user(live_runtime, id_) for id_ in ids), return_exceptions=True)

        assert {type(outcome) for outcome in outcomes} == {bool, LastAdminError}
        assert await count(live_runtime, users) == 1

    async def test_a_concurrent_erasure_is_recorded_once(
        self, live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
    ) -> None:
        live_runtime.audit = audit = MemoryAudit()
        user_id = UUID((await live_client.get(ME, headers=await live_sign_in())).json()["id"])

        await asyncio.gather(*(erase_user(live_runtime, user_id) for _ in range(4)))

        assert len(audit.entries) == 1
        assert await count(live_runtime, users) == 0


async def die(_runtime: Runtime, _session: AsyncSession, _user_id: UUID) -> None:
    """Raise the error of a process that is stopped."""
    raise KeyboardInterrupt


class TestCleanup:
    @pytest.mark.parametrize(
        ("age", "left"),
        [(DELETED_IDENTITY_RETENTION - timedelta(days=1), 1), (DELETED_IDENTITY_RETENTION + timedelta(days=1), 0)],
    )
    async def test_an_erased_identity_is_deleted_after_its_retention_period(
        self, runtime: Runtime, user_id: UUID, age: timedelta, left: int
    ) -> None:
        await erase_user(runtime, user_id)
        async with runtime.database.transaction() as session:
            await session.execute(update(user_identities).values(deleted_at=utc_now() - age))

        await cleanup_old_data(runtime)

        assert await count(runtime, user_identities) == left

    async def test_an_identity_with_a_user_is_kept(self, runtime: Runtime, user_id: UUID) -> None:
        del user_id
        async with runtime.database.transaction() as session:
            await session.execute(update(user_identities).values(deleted_at=utc_now() - 2 * DELETED_IDENTITY_RETENTION))

        await cleanup_old_data(runtime)

        assert await count(runtime, user_identities) == 1


async def test_new_and_active_users_are_in_the_report(runtime: Runtime, user_id: UUID) -> None:
    async with runtime.database.transaction() as session:
        await session.execute(update(users).where(users.c.id == user_id).values(is_active=False))

    figures = (await make_report(runtime, utc_now().date())).metrics

    assert (figures["users_created"], figures["users_active"]) == (1, 0)
