"""DATABASE_READ_URL: lists and reports are read from another database, as long as that can be reached."""

import re
import time
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.config.settings import Settings
from app.core.data_policy.daily_report import make_report
from app.core.db.availability import DatabaseBusyError
from app.core.db.database import Database, create_database
from app.core.db.models import utc_now
from app.core.db.replica import RETRY_INTERVAL, Replica
from app.core.http.dependencies import ReplicaSessionDep, SessionDep
from app.core.manifest import Module
from app.core.ports.operations import DatabaseQuery
from app.dev.servers.postgres import private_postgres
from app.main import create_app
from app.migrate.migrations import upgrade
from app.modules import MODULES
from app.users.models import User
from tests.conftest import make_client, make_runtime
from tests.core.telemetry import Recorder
from tests.databases import Databases, PostgresDatabases, postgres_databases
from tests.pages import FOLDER

UNREACHABLE = "postgresql+asyncpg://postgres@127.0.0.1:9/none"
NAME = text("SELECT current_database()")
CANCELLED = "canceling statement due to conflict with recovery"
router = APIRouter()


@router.get("/names")
async def read_names(session: SessionDep, replica: ReplicaSessionDep) -> tuple[str, str]:
    """Return the names of the databases."""
    return str(await session.scalar(NAME)), str(await replica.scalar(NAME))


@pytest.fixture(scope="module")
async def server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Databases]:
    """Databases of a PostgreSQL server, even if the other tests run on SQLite, which has no replicas."""
    if isinstance(databases, PostgresDatabases):
        yield databases
        return
    with (
        private_postgres(tmp_path_factory.mktemp("replica") / "postgres", durable=False) as private,
        postgres_databases(private.url(), upgrade) as opened,
    ):
        yield opened
        await opened.close()


@pytest.fixture
async def urls(server: Databases) -> AsyncIterator[tuple[str, str]]:
    """The URLs of two databases with the application's tables."""
    async with server.fresh() as primary, server.fresh() as replica:
        yield primary, replica


@pytest.fixture
async def database(urls: tuple[str, str], settings: Settings) -> AsyncIterator[Database]:
    """A database with another one as its replica."""
    opened = open_pair(settings, *urls)
    yield opened
    await opened.dispose()


def open_pair(settings: Settings, url: str, read_url: str) -> Database:
    return create_database(settings.with_database(url).model_copy(update={"DATABASE_READ_URL": read_url}))


async def add_user(url: str, settings: Settings, email: str) -> None:
    database = create_database(settings.with_database(url))
    async with database.transaction() as session:
        session.add(User(email=email))
    await database.dispose()


async def test_a_route_reads_lists_from_the_replica_and_the_rest_from_the_database(
    database: Database, urls: tuple[str, str]
) -> None:
    app = create_app((*MODULES, Module(name="names", public_router=router)), runtime=make_runtime(database))
    async with make_client(app) as client:
        answer = await client.get("/api/v1/public/names")
    assert answer.json() == [url.rpartition("/")[2].partition("?")[0] for url in urls]


async def test_the_daily_report_counts_on_the_replica(
    database: Database, urls: tuple[str, str], settings: Settings
) -> None:
    for email in ("a@example.com", "b@example.com"):
        await add_user(urls[1], settings, email)
    report = await make_report(make_runtime(database), utc_now().date())
    assert 2 in report.metrics.values()


async def test_the_replica_refuses_changes(database: Database) -> None:
    replica = await database.replica()
    with pytest.raises(DBAPIError, match="read-only transaction"):
        await replica.execute(text("DELETE FROM users"), {})


async def test_a_statement_that_the_replica_cancels_is_answered_with_503(database: Database) -> None:
    replica = await database.replica()
    statement = text(f"DO $$ BEGIN RAISE EXCEPTION '{CANCELLED}' USING ERRCODE = '40001'; END $$")
    with pytest.raises(DatabaseBusyError):
        async with replica.reading() as session:
            await session.execute(statement)


async def test_a_replica_that_cannot_be_reached_is_left_out(urls: tuple[str, str], settings: Settings) -> None:
    database = open_pair(settings, urls[0], UNREACHABLE)
    assert await database.replica() is database
    await database.dispose()


@pytest.mark.parametrize("has_replica", [True, False])
async def test_readiness_reports_a_replica_that_cannot_be_reached(
    urls: tuple[str, str], settings: Settings, *, has_replica: bool
) -> None:
    database = open_pair(settings, urls[0], urls[1] if has_replica else UNREACHABLE)
    async with make_client(create_app(MODULES, runtime=make_runtime(database))) as client:
        answer = await client.get("/api/v1/public/health/ready")
    degraded = [] if has_replica else ["replica"]
    assert answer.status_code == 200
    assert [name for name in answer.json()["degraded"] if name == "replica"] == degraded
    await database.dispose()


async def test_a_replica_is_tried_again_after_a_while(
    urls: tuple[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica, found = (Replica(create_database(settings.with_database(url))) for url in (UNREACHABLE, urls[1]))
    assert not await replica.answers()
    monkeypatch.setattr(replica, "database", found.database)
    assert not await replica.answers()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + RETRY_INTERVAL)
    assert await replica.answers()
    await found.database.dispose()


async def test_without_a_replica_the_database_itself_is_read(urls: tuple[str, str], settings: Settings) -> None:
    database = create_database(settings.with_database(urls[0]))
    assert await database.replica() is database
    assert len(database.engines) == 1
    await database.dispose()


async def test_telemetry_sees_the_statements_of_the_replica(database: Database) -> None:
    runtime, listener = make_runtime(database), Recorder()
    with runtime.listen(listener):
        await (await database.replica()).fetch(NAME, {})
    assert [query.statement for query in listener.of(DatabaseQuery)] == [str(NAME)]


async def test_the_statements_of_the_page_on_scaling_run(database: Database) -> None:
    statements = re.findall(r"^```sql\n(.*?)^```", (FOLDER / "scaling.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(statements) == 2
    for statement in statements:
        async with database.transaction() as session:
            await session.execute(text(statement))


@pytest.mark.parametrize(
    ("url", "read_url"),
    [
        ("postgresql+asyncpg://u:p@localhost/a", "sqlite+aiosqlite:///./a.db"),
        ("sqlite+aiosqlite:///./a.db", "postgresql+asyncpg://u:p@localhost/a"),
    ],
)
def test_sqlite_has_no_replicas(url: str, read_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_READ_URL", read_url)
    with pytest.raises(ValidationError, match="read replica"):
        Settings()
