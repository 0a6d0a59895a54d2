"""The first request of a new user."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import func, select

from app.auth.local import local_subject, mint
from app.auth.port import Identity
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, Subscriber
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.events import UserCreated
from app.users.identities import create_user, find_caller
from app.users.models import user_identities, users
from tests.conftest import ME, make_client
from tests.databases import Databases


class Heard(list[UserCreated]):
    """The events that another module received."""


async def hear(runtime: Runtime, event: UserCreated) -> None:
    runtime.resource(Heard).append(event)


LISTENER = Module(name="listener", subscribers=(Subscriber(UserCreated, hear),))


@pytest.fixture(autouse=True)
def room_for_many_requests(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG001 - before the runtime
    monkeypatch.setenv("RATE_LIMIT_DEFAULT", "1000/minute")


@pytest.fixture
async def listening(databases: Databases) -> AsyncIterator[Runtime]:
    """An application with one more module, on a database of its own."""
    async with databases.fresh() as url:
        modules = (*MODULES, LISTENER)
        runtime = create_runtime(modules, database=create_database(Settings().with_database(url)))
        runtime.provide(Heard, Heard())
        async with running(runtime, background=False):
            yield runtime


@pytest.fixture
async def visitor(listening: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a valid token, whom the application has never seen."""
    async with make_client(create_app(MODULES, runtime=listening)) as client:
        client.headers["Authorization"] = f"Bearer {mint(listening.settings, email='New@Example.com', name='Nia')}"
        yield client


async def count(runtime: Runtime) -> tuple[int, int]:
    """Return the numbers of users and identities."""
    async with runtime.database.reading() as session:
        return (
            await session.scalar(select(func.count()).select_from(users)) or 0,
            await session.scalar(select(func.count()).select_from(user_identities)) or 0,
        )


async def drain(runtime: Runtime) -> None:
    await runtime.queue.drain()


class TestFirstRequest:
    async def test_makes_the_user_from_the_token(self, visitor: httpx.AsyncClient) -> None:
        me = (await visitor.get(ME)).json()

        assert (me["email"], me["full_name"], me["role"], me["is_active"]) == ("new@example.com", "Nia", "user", True)

    async def test_publishes_an_event(self, visitor: httpx.AsyncClient, listening: Runtime) -> None:
        me = (await visitor.get(ME)).json()
        await drain(listening)

        (event,) = listening.resource(Heard)
        assert (str(event.user_id), event.email, event.full_name) == (me["id"], "new@example.com", "Nia")

    async def test_a_second_one_publishes_no_event(self, visitor: httpx.AsyncClient, listening: Runtime) -> None:
        for _ in range(2):
            await visitor.get(ME)
        await drain(listening)

        assert len(listening.resource(Heard)) == 1

    async def test_a_hundred_concurrent_ones_create_one_user_and_one_event(
        self, visitor: httpx.AsyncClient, listening: Runtime
    ) -> None:
        answers = await asyncio.gather(*(visitor.get(ME) for _ in range(100)))
        await drain(listening)

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await count(listening) == (1, 1)
        assert len(listening.resource(Heard)) == 1

    async def test_a_hundred_concurrent_writing_ones_create_one_user(
        self, visitor: httpx.AsyncClient, listening: Runtime
    ) -> None:
        answers = await asyncio.gather(*(visitor.patch(ME, json={"full_name": "Nia N."}) for _ in range(100)))

        assert {answer.status_code for answer in answers} == {200}
        assert await count(listening) == (1, 1)

    async def test_users_with_the_same_address_are_not_merged(self, listening: Runtime) -> None:
        for subject in ("one", "two"):
            identity = Identity(provider="test", subject=subject, email="shared@example.com")
            assert await create_user(listening, identity)

        assert await count(listening) == (2, 2)

    async def test_subjects_of_two_providers_are_two_users(self, listening: Runtime) -> None:
        for provider in ("one", "two"):
            assert await create_user(listening, Identity(provider=provider, subject="same"))

        assert await count(listening) == (2, 2)

    async def test_a_user_without_address_and_name_is_created(self, listening: Runtime) -> None:
        identity = Identity(provider="test", subject="anonymous")
        await create_user(listening, identity)

        caller = await find_caller(listening.database, identity)

        assert caller is not None
        assert (caller.email, caller.full_name) == (None, None)


class TestMakeUser:
    async def test_the_second_of_two_concurrent_calls_creates_no_user(self, listening: Runtime) -> None:
        identity = Identity(provider="local", subject=local_subject("a@example.com"))

        assert [await create_user(listening, identity) for _ in range(2)] == [True, False]
        await drain(listening)
        assert await count(listening) == (1, 1)
        assert len(listening.resource(Heard)) == 1
