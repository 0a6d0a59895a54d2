"""A real standby server: what the application and the migration in production see of it."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.config.settings import Settings
from app.core.db import replica as module
from app.core.db.database import create_database
from app.core.db.engine import command_engine
from app.core.db.replica import ReplicaLagError, require_replica
from app.dev.servers import children, postgres
from app.dev.servers.postgres import private_postgres
from app.migrate import preflight
from app.migrate.database_state import on_database
from app.migrate.preflight import Doubt, doubts
from tests.cli.test_commands import app
from tests.databases import apart

REFUSED = 3
START_TIMEOUT = 30


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URLs of a primary, which allows prepared transactions, and of its standby."""
    folder = tmp_path_factory.mktemp("standby")
    postgres._initialise(folder / "primary")  # noqa: SLF001 - the server needs a setting before it starts
    with (folder / "primary" / "postgresql.conf").open("a") as file:
        file.write("max_prepared_transactions = 2\n")
    with private_postgres(folder / "primary", durable=False) as primary:
        standby, sockets = folder / "copy", children.socket_folder("pg", folder / "copy")
        standby.mkdir(mode=0o700)
        copy = ("-h", str(primary.sockets), "-U", "postgres", "-D", str(standby), "-R", "-X", "stream", "-c", "fast")
        subprocess.run(postgres._command([standby], "pg_basebackup", "--no-sync", *copy), check=True)  # noqa: SLF001
        options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={sockets}", "-c", "fsync=off")
        command = postgres._command([standby, sockets], "postgres", "-D", str(standby), *options)  # noqa: SLF001
        process = children.start(command, folder / "copy.log")
        try:
            url = primary.url().replace(str(primary.sockets), str(sockets))
            apart(lambda: asyncio.run(until(url, "SELECT pg_is_in_recovery()")))
            yield primary.url(), url
        finally:
            children.stop(process)
            shutil.rmtree(sockets)


async def until(url: str, statement: str) -> None:
    """Wait until a server answers with a true value."""
    engine = command_engine(url)
    async with asyncio.timeout(START_TIMEOUT):
        while True:
            try:
                async with engine.connect() as connection:
                    if await connection.scalar(text(statement)):
                        break
            except (OSError, SQLAlchemyError):
                # It has not started yet.
                await asyncio.sleep(0.05)
    await engine.dispose()


async def test_a_standby_that_is_far_behind_is_reported(
    urls: tuple[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = {"DATABASE_READ_URL": urls[1]}
    database = create_database(settings.with_database(urls[0]).model_copy(update=replica))
    await require_replica(database)
    await run(urls[0], "CREATE TABLE before_the_pause ()")
    await until(urls[1], "SELECT to_regclass('before_the_pause') IS NOT NULL")
    await run(urls[1], "SELECT pg_wal_replay_pause()")
    await until(urls[1], "SELECT pg_get_wal_replay_pause_state() = 'paused'")
    await run(urls[0], "CREATE TABLE after_the_pause ()")
    await require_replica(database)
    monkeypatch.setattr(module, "MAX_LAG", -1)
    with pytest.raises(ReplicaLagError, match="s behind"):
        await require_replica(database)
    monkeypatch.undo()
    await run(urls[1], "SELECT pg_wal_replay_resume()")
    await until(urls[1], "SELECT to_regclass('after_the_pause') IS NOT NULL")
    await database.dispose()


def test_a_migration_sees_a_standby_that_is_far_behind(urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(urls[0]) == {}
    monkeypatch.setattr(preflight, "MAX_LAG", -1)
    assert "s behind. Wait until it has caught up." in found(urls[0])["replicas"]


def test_a_migration_refuses_a_standby(urls: tuple[str, str]) -> None:
    assert "read-only replica. Set DATABASE_URL to the primary server." in found(urls[1])["server"]


def test_the_command_refuses_a_standby(urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", urls[1])
    result = app("db", "migrate-production", "--yes")
    assert result.exit_code == REFUSED, result.output
    assert "read-only replica" in result.stderr


async def test_a_migration_sees_a_prepared_transaction(urls: tuple[str, str]) -> None:
    await run(urls[0], "BEGIN", "CREATE TABLE prepared ()", "PREPARE TRANSACTION 'forgotten'")
    try:
        assert "ROLLBACK PREPARED 'forgotten';" in found(urls[0])["long-transactions"]
    finally:
        await run(urls[0], "ROLLBACK PREPARED 'forgotten'")


async def run(url: str, *statements: str) -> None:
    """Execute statements on one connection, outside of a transaction."""
    engine = command_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def found(url: str) -> dict[str, str]:
    """Return the doubts of a migration by the name of their check."""
    results: list[list[Doubt]] = []
    apart(lambda: results.append(on_database(url, lambda connection: doubts(connection, set()))))
    return {doubt.check: doubt.message for doubt in results[0]}
