"""Fixtures of all tests: the application on a real database, in one transaction that is rolled back.

The database is a private PostgreSQL server that lives as long as the test run. TEST_DATABASE_URL chooses another:
a PostgreSQL server (databases are made on it and dropped again), or `sqlite+aiosqlite://` (files in a temporary
folder).
"""

import gc
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app import project_modules
from app.auth.local import mint
from app.core.config.settings import LoadedSettings, Settings, load_settings
from app.core.db.database import Database, create_database
from app.core.db.joined_database import JoinedDatabase
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running, settings_classes
from app.core.ports.plans import FreePlan
from app.core.runtime import Runtime
from app.main import create_app, run_on
from app.migrate.migrations import upgrade
from app.modules import MODULES
from app.users.models import users
from app.users.roles import Role
from tests.databases import Databases, open_databases
from tests.users.audits import MemoryAudit

ME = "/api/v1/app/users/me"
SETTINGS = settings_classes(MODULES)
SETTINGS_NAMES = sorted({name for cls in SETTINGS for name in cls.model_fields})


TESTS: Final = Path(__file__).parent
TEMPLATE_PARTS: Final = {"cli", "dev", "kit", "migrate", "migrations", "test_isolation.py"} | {
    module.name for module in MODULES if module not in project_modules.MODULES
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the template's own code, so that yours can run alone: `pytest -m "not template"`."""
    for item in items:
        part = item.path.relative_to(TESTS).parts[0]
        if part in TEMPLATE_PARTS and item.get_closest_marker("every_module") is None:
            item.add_marker("template")


def pytest_collection_finish() -> None:
    """Collect garbage more rarely: each time, the imported modules are scanned again."""
    # `gc.freeze()` is as quick, but hides referrers, for which property tests look on Python 3.14.
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="session")
async def databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Databases]:
    """A factory of databases: empty ones, and ones with the application's tables."""
    folder = tmp_path_factory.mktemp("databases")
    with open_databases(os.environ.get("TEST_DATABASE_URL") or None, folder, upgrade) as opened:
        yield opened
        await opened.close()


@pytest.fixture(scope="session", autouse=True)
def environment(databases: Databases) -> Iterator[None]:
    """Settings that depend neither on `.env` (see `tests/__init__.py`) nor on the shell."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS_NAMES:
            patch.delenv(name, raising=False)
        patch.setenv("PROJECT_NAME", "Test")
        patch.setenv("ENVIRONMENT", "local")
        patch.setenv("PUBLIC_URL", "http://testserver")
        patch.setenv("SECRET_KEY", secrets.token_hex(32))
        patch.setenv("DATABASE_URL", databases.shared)
        yield


@pytest.fixture
def settings(environment: None) -> Settings:  # noqa: ARG001 - the order matters
    """The core's settings."""
    return Settings()


@pytest.fixture(scope="session")
async def engine_database(environment: None) -> AsyncIterator[Database]:  # noqa: ARG001 - the order matters
    """The engine that all tests share."""
    database = create_database(Settings())
    yield database
    await database.dispose()


@pytest.fixture
async def database(engine_database: Database) -> AsyncIterator[Database]:
    """A database whose every change is undone after the test. One thing at a time: it is one connection."""
    async with engine_database.engine.connect() as connection:
        transaction = await connection.begin()
        yield JoinedDatabase(connection)
        if transaction.is_active:
            await transaction.rollback()


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    """A session that sees what the application writes, and the other way round."""
    async with database.new_session(reading=False) as opened:
        yield opened


@cache
def loaded_settings(values: tuple[str | None, ...]) -> LoadedSettings:  # noqa: ARG001 - what they are read from
    """The settings, read once for all tests that have the same environment."""
    return load_settings(SETTINGS)


def make_runtime(database: Database) -> Runtime:
    """The application's runtime; its jobs wait for `drain`."""
    loaded = loaded_settings(tuple(os.environ.get(name) for name in SETTINGS_NAMES))
    made = create_runtime(MODULES, database=database, loaded=loaded)
    if isinstance(made.queue, InProcessQueue):
        made.queue.eager = False
    return made


def make_client(app: FastAPI) -> httpx.AsyncClient:
    """A client of the application in this process. What the application raises becomes the answer that it would be."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


@pytest.fixture
def plan_limits() -> bool:
    """Whether the limits of users' plans apply. Tests that need them override this fixture in their folder."""
    return False


@pytest.fixture
async def runtime(database: Database, plan_limits: bool) -> AsyncIterator[Runtime]:  # noqa: FBT001 - a fixture
    """The running application's runtime. Its jobs wait for `await runtime.queue.drain()`."""
    async with running(make_runtime(database), background=False) as started:
        if not plan_limits:
            started.plans = FreePlan()
        yield started


@pytest.fixture(scope="session")
def applications() -> dict[Settings, FastAPI]:
    """Applications by the settings they were built for: putting one together takes longer than most tests."""
    return {}


@pytest.fixture
def app(runtime: Runtime, applications: dict[Settings, FastAPI]) -> FastAPI:
    """The application. Others get the same one: a test that changes it makes its own with `create_app`."""
    if runtime.settings in applications:
        run_on(applications[runtime.settings], runtime)
    else:
        applications[runtime.settings] = create_app(MODULES, runtime=runtime)
    return applications[runtime.settings]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(app) as opened:
        yield opened


class SignIn(Protocol):
    """Return the headers of an existing user."""

    async def __call__(self, *, email: str = "user@example.com", role: str = Role.USER) -> dict[str, str]:
        """The same e-mail gives the same user."""
        ...


def sign_in_to(runtime: Runtime, client: httpx.AsyncClient) -> SignIn:
    """Return a function that signs users in with local tokens."""

    async def sign_in(*, email: str = "user@example.com", role: str = Role.USER) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {mint(runtime.settings, email=email)}"}
        answer = await client.get(ME, headers=headers)
        answer.raise_for_status()
        if role != Role.USER:
            async with runtime.database.transaction() as writing:
                await writing.execute(
                    update(users).where(users.c.id == UUID(answer.json()["id"])).values(role=str(role))
                )
        return headers

    return sign_in


@pytest.fixture
def sign_in(runtime: Runtime, client: httpx.AsyncClient) -> SignIn:
    """Sign a user in: `headers = await sign_in(email="me@example.com", role=Role.ADMIN)`."""
    return sign_in_to(runtime, client)


@pytest.fixture
async def admin(sign_in: SignIn) -> dict[str, str]:
    """The headers of an administrator."""
    return await sign_in(email="admin@example.com", role=Role.ADMIN)


@pytest.fixture
def audit(runtime: Runtime) -> MemoryAudit:
    """The recorded audit entries."""
    runtime.audit = audit = MemoryAudit()
    return audit


@pytest.fixture
async def live_runtime(databases: Databases, plan_limits: bool) -> AsyncIterator[Runtime]:  # noqa: FBT001 - a fixture
    """A runtime on a database of its own, with a pool and real commits: for what happens at the same time."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        made = make_runtime(create_database(Settings().with_database(url)))
        await stack.enter_async_context(running(made, background=False))
        if not plan_limits:
            made.plans = FreePlan()
        yield made


@pytest.fixture
async def live_client(live_runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with a database of its own."""
    async with make_client(create_app(MODULES, runtime=live_runtime)) as opened:
        yield opened


@pytest.fixture
def live_sign_in(live_runtime: Runtime, live_client: httpx.AsyncClient) -> SignIn:
    """`sign_in` for `live_client`."""
    return sign_in_to(live_runtime, live_client)
