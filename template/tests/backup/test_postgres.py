"""Failures that only PostgreSQL has. On SQLite, these tests have nothing to check."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from app.backup import client_programs as module
from app.backup import postgres_restore
from app.backup.client_programs import ClientPrograms, client_programs, connection_variables
from app.backup.create import snapshot
from app.backup.errors import BackupError
from app.backup.postgres_catalog import ADVISORY_LOCK
from app.backup.postgres_restore import PostgresRestore
from app.backup.trial import try_restore
from app.core.db.engine import command_engine
from tests.backup.conftest import context_of, execute, make, restore, rows
from tests.backup.memory_files import MemoryFiles
from tests.databases import Databases

URL = (
    "postgresql+asyncpg://app:very%40secret@db.example.com:6432/shop?ssl=verify-full&sslrootcert=system&options=-cx%3D1"
)


def is_postgres(url: str) -> bool:
    """Return whether the tests run on PostgreSQL."""
    return url.startswith("postgresql")


def test_the_programs_get_the_address_in_their_environment_and_no_secrets_of_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    variables = connection_variables(URL)
    assert {name: value for name, value in variables.items() if name.startswith("PG")} == {
        "PGHOST": "db.example.com",
        "PGPORT": "6432",
        "PGUSER": "app",
        "PGPASSWORD": "very@secret",
        "PGDATABASE": "shop",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "system",
        "PGOPTIONS": "-cx=1",
        "PGAPPNAME": "backup",
        "PGCONNECT_TIMEOUT": "10",
    }
    assert os.environ["SECRET_KEY"] not in variables.values()


def test_several_hosts_and_socket_folders() -> None:
    several = connection_variables("postgresql+asyncpg://u@/d?host=a:1&host=b:2")
    assert (several["PGHOST"], several["PGPORT"]) == ("a,b", "1,2")
    assert connection_variables("postgresql+asyncpg://u@/d?host=/run/pg")["PGHOST"] == "/run/pg"


def test_a_pooler_is_refused() -> None:
    with pytest.raises(BackupError, match="direct URL"):
        connection_variables("postgresql+asyncpg://u:p@h/d?pgbouncer=true")


def test_programs_of_the_server_s_version_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    majors = {Path("/a"): 17, Path("/b"): 18, Path("/c"): 19, Path("/d"): None}
    monkeypatch.setattr(module, "_folders", lambda _major: iter(majors))
    monkeypatch.setattr(module, "_major", majors.get)
    assert client_programs(18).folder == Path("/b")
    assert client_programs(16).major == 17
    with pytest.raises(
        BackupError, match=r"only those of version 17, 18, 19 are installed.*apt install postgresql-client-20"
    ):
        client_programs(20)
    monkeypatch.setattr(module, "_folders", lambda _major: iter([Path("/d")]))
    with pytest.raises(BackupError, match="they are not installed"):
        client_programs(18)


@pytest.fixture
async def target(databases: Databases) -> AsyncIterator[str]:
    """A database with a table that has a row."""
    async with databases.empty() as url:
        await execute(url, "CREATE TABLE mine (id integer PRIMARY KEY)", "INSERT INTO mine VALUES (1)")
        yield url


async def test_no_password_is_among_the_arguments_of_a_process(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_postgres(source):
        commands: list[list[str]] = []
        start = subprocess.Popen

        def recorded(command: list[str], **options: object) -> object:
            commands.append([str(part) for part in command])
            return start(command, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(subprocess, "Popen", recorded)
        url = make_url(source).set(password="very-secret").render_as_string(hide_password=False)
        make(url, tmp_path, None)
        assert any("pg_dump" in command[0] for command in commands)
        assert "very-secret" not in str(commands)


async def test_an_interrupted_restore_changes_nothing(source: str, target: str, tmp_path: Path) -> None:
    if is_postgres(source):
        before = await rows(target)
        with context_of(source, tmp_path, None) as context, snapshot(context) as taken:
            dump = b"".join(taken.dump())
        running = PostgresRestore(client_programs(18), connection_variables(target), server_major=18, extensions=[])
        running.write(dump[: len(dump) // 2])
        running.close()
        assert await rows(target) == before

        running = PostgresRestore(client_programs(18), connection_variables(target), server_major=18, extensions=[])
        running.write(dump[: len(dump) // 2])
        with pytest.raises(BackupError, match="rolled back"):
            running.end()
        running.close()
        assert await rows(target) == before

        running = PostgresRestore(client_programs(18), connection_variables(target), server_major=18, extensions=[])
        running.write(dump)
        running.end()
        with pytest.raises(BackupError, match="other numbers of rows"):
            running.commit({"users": 77})
        running.close()
        assert await rows(target) == before


def finish(running: PostgresRestore) -> None:
    """Restore and commit what was written. psql may report an error only then."""
    running.end()
    running.commit({})


async def test_a_manipulated_dump_runs_no_program(source: str, target: str, tmp_path: Path) -> None:
    if is_postgres(source):
        ran, marker = tmp_path / "ran", "M" * 300
        await execute(target, f"COMMENT ON TABLE mine IS '{marker}'")
        with context_of(target, tmp_path, None) as context, snapshot(context) as taken:
            dump = b"".join(taken.dump())
        assert marker.encode() in dump
        command = f"';\n\\! touch {ran}\nSELECT '".encode()
        running = PostgresRestore(client_programs(18), connection_variables(target), server_major=18, extensions=[])
        running.write(dump.replace(marker.encode(), command.ljust(len(marker), b"M")))
        with pytest.raises(BackupError, match="commands are restricted"):
            finish(running)
        running.close()
        assert not ran.exists()


async def test_a_program_that_does_not_restrict_commands_is_refused(source: str, target: str, tmp_path: Path) -> None:
    if is_postgres(source):
        ran, script = tmp_path / "ran", tmp_path / "pg_restore"
        script.write_text(f"#!/bin/sh\ncat > {os.devnull}\nprintf '%s\\n' '--' '\\! touch {ran}'\n")
        script.chmod(0o755)
        (tmp_path / "psql").symlink_to(client_programs(18).path("psql"))
        programs = ClientPrograms(tmp_path, 18)
        running = PostgresRestore(programs, connection_variables(target), server_major=18, extensions=[])
        with pytest.raises(BackupError, match="pg_restore is too old to be safe"):
            running.end()
        running.close()
        assert not ran.exists()


async def test_an_error_about_a_row_does_not_show_the_row(source: str, target: str, tmp_path: Path) -> None:
    if is_postgres(source):
        # The rows of `people` arrive before those that their constraint looks up.
        await execute(
            target,
            "CREATE TABLE zz_allowed (email text)",
            "CREATE FUNCTION allowed(text) RETURNS boolean LANGUAGE sql AS "
            "'SELECT EXISTS (SELECT FROM public.zz_allowed WHERE email = $1)'",
            "CREATE TABLE people (email text CHECK (allowed(email)))",
            "INSERT INTO zz_allowed VALUES ('jane@example.com')",
            "INSERT INTO people VALUES ('jane@example.com')",
        )
        before = await rows(target)
        file = make(target, tmp_path, None)
        with pytest.raises(BackupError, match="SQLSTATE 23514") as caught:
            restore(target, file, None, replace=True)
        assert "jane" not in str(caught.value)
        assert await rows(target) == before


async def test_tables_in_use_are_named_after_a_while(
    source: str, plain: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_postgres(source):
        monkeypatch.setattr(postgres_restore, "BEGIN", postgres_restore.BEGIN.replace("'30s'", "'100ms'"))
        engine = command_engine(target)
        async with engine.begin() as other:
            await other.execute(text("SELECT * FROM mine"))
            with pytest.raises(BackupError, match="Stop the application and its workers"):
                restore(target, plain, MemoryFiles(), replace=True)
        await engine.dispose()
        assert list(await rows(target)) == ["mine"]


async def test_two_restores_at_once_do_not_mix(source: str, plain: Path, target: str) -> None:
    if is_postgres(source):
        engine = command_engine(target)
        async with engine.begin() as other:
            await other.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            with pytest.raises(BackupError, match="Another restore is running"):
                restore(target, plain, MemoryFiles(), replace=True)
        await engine.dispose()
        assert list(await rows(target)) == ["mine"]


async def test_a_trial_leaves_no_database(source: str, plain: Path, tmp_path: Path) -> None:
    names = text("SELECT datname FROM pg_database WHERE datname LIKE 'backup_verify%'")
    if is_postgres(source):
        await execute_outside(source, "CREATE DATABASE backup_verify_1_abcd")
    with context_of(source, tmp_path, None) as context, context.backup(str(plain)) as backup:
        manifest = try_restore(context, backup, None)
    assert manifest.database.tables["users"] > 1
    if is_postgres(source):
        engine = command_engine(source)
        async with engine.connect() as connection:
            assert list((await connection.execute(names)).scalars()) == []
        await engine.dispose()


async def execute_outside(url: str, statement: str) -> None:
    """Execute a statement that PostgreSQL runs in no transaction."""
    engine = command_engine(url)
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text(statement))
    await engine.dispose()
