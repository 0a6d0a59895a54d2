"""`app db migrate-production` on a server with other sessions, an earlier release, and revisions that fail."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.cli import db_production
from app.migrate import exclusive, migration_log, migrations, preflight
from app.migrate.database_state import on_database
from app.migrate.release_schema import release_schema
from tests.cli.test_commands import app
from tests.databases import Databases, apart, open_databases
from tests.migrations.files import create, write_file
from tests.processes import KILL_SIGNAL

REFUSED: Final = 3
STOPPED: Final = 4
COMMAND: Final = ("db", "migrate-production", "--yes")


def on[T](url: str, work: "partial[T]") -> T:
    """Run a function on a connection of its own."""
    results: list[T] = []
    apart(lambda: results.append(on_database(url, work)))
    return results[0]


def execute(url: str, *statements: str) -> None:
    """Execute statements in one transaction."""
    for statement in statements:
        on(url, partial(Connection.execute, statement=text(statement)))


def columns(url: str, table: str) -> set[str]:
    """The names of the table's columns; none if there is no such table."""

    def read(connection: Connection) -> set[str]:
        inspector = inspect(connection)
        return {it["name"] for it in inspector.get_columns(table)} if inspector.has_table(table) else set()

    return on(url, partial(read))


def log(url: str) -> list[tuple[str, str]]:
    """The revisions and states of the log, the oldest first."""

    def read(connection: Connection) -> list[tuple[str, str]]:
        rows = connection.execute(text("SELECT revision, state FROM migration_log ORDER BY id"))
        return [(revision, state) for revision, state in rows]

    return on(url, partial(read))


@asynccontextmanager
async def session_with(url: str, statement: str) -> AsyncIterator[None]:
    """Keep a transaction open in which a statement was executed."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.execute(text(statement))
        yield
    await engine.dispose()


def refused(result: Result, check: str) -> str:
    """The message of a run that a check refused."""
    assert result.exit_code == REFUSED, result.output
    assert "Nothing was changed" in result.stderr
    assert f"  {check}: " in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
async def servers(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Databases]:
    """Databases of a PostgreSQL server, also where the other tests use SQLite."""
    if databases.shared.startswith("postgresql"):
        yield databases
        return
    with open_databases(None, tmp_path_factory.mktemp("postgresql"), lambda _url: None) as opened:
        yield opened
        await opened.close()


@pytest.fixture(autouse=True)
async def url(servers: Databases, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The URL of a database whose one table, `things`, a revision has created. It is DATABASE_URL."""
    shutil.rmtree(folder / "versions")
    (folder / "versions").mkdir()
    write_file(folder, "aaa", None, create("things"))
    async with servers.empty() as opened:
        monkeypatch.setenv("DATABASE_URL", opened)
        apart(partial(migrations.upgrade, opened))
        yield opened


def add(column: str) -> str:
    """The statement of a revision that adds a column."""
    return f'op.add_column("things", sa.Column("{column}", sa.Integer(), nullable=True))'


class TestApply:
    def test_applies_each_revision_in_a_transaction_of_its_own_and_logs_it(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", add("first"))
        write_file(folder, "ccc", "bbb", add("second"))

        result = app(*COMMAND)

        assert result.exit_code == 0, result.output
        assert "ALTER TABLE things ADD COLUMN first INTEGER;" in result.output
        assert result.output.endswith("Applied bbb: \nApplied ccc: \n")
        assert columns(url, "things") == {"id", "first", "second"}
        assert log(url) == [("bbb", "applied"), ("ccc", "applied")]
        assert "applied     ccc" in app("db", "log").output

    def test_does_nothing_if_nothing_is_pending(self) -> None:
        assert app("db", "log").output.startswith("Nothing has been run")
        for _ in range(2):
            result = app(*COMMAND)
            assert (result.exit_code, result.output) == (0, "Nothing to do: the database has every revision.\n")

    def test_changes_nothing_in_a_dry_run_or_without_consent(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", add("first"))
        dry = app("db", "migrate-production", "--dry-run")
        assert dry.exit_code == 0
        assert "ADD COLUMN first" in dry.output
        assert app("db", "migrate-production", answer="n\n").exit_code == 1
        assert columns(url, "things") == {"id"}
        assert columns(url, "migration_log") == set()

    def test_stops_at_the_first_failure_and_continues_there(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", add("first"))
        broken = write_file(folder, "ccc", "bbb", f'op.execute("SELECT 1 / 0"); {add("second")}')
        write_file(folder, "ddd", "ccc", add("third"))

        result = app(*COMMAND)

        assert result.exit_code == STOPPED
        assert "Revision ccc failed and was rolled back: division by zero" in result.stderr
        assert columns(url, "things") == {"id", "first"}
        assert log(url) == [("bbb", "applied"), ("ccc", "failed")]
        broken.write_text(broken.read_text().replace("1 / 0", "1"))
        assert app(*COMMAND).exit_code == 0
        assert columns(url, "things") == {"id", "first", "second", "third"}

    @pytest.mark.parametrize("mail", ["alice@example.com", 'a"b\nalice@example.com'])
    def test_shows_no_values_of_rows(self, url: str, folder: Path, mail: str) -> None:
        execute(url, "ALTER TABLE things ADD COLUMN mail text")
        execute(url, f"INSERT INTO things (id, mail) VALUES (1, '{mail}')")  # noqa: S608 - of a test
        change = 'op.execute("ALTER TABLE things ALTER COLUMN mail TYPE integer USING mail::integer")'
        write_file(folder, "bbb", "aaa", change)
        result = app(*COMMAND)
        assert 'invalid input syntax for type integer: "…"' in result.stderr
        assert "alice" not in result.output + app("db", "log").output

    def test_is_not_ended_by_the_statement_timeout_of_the_role(self, url: str, folder: Path) -> None:
        execute(url, f"ALTER DATABASE {make_url(url).database} SET statement_timeout = '100ms'")
        write_file(folder, "bbb", "aaa", 'op.execute("SELECT pg_sleep(0.2)")')
        result = app(*COMMAND)
        assert result.exit_code == 0, result.output

    def test_a_rollback_accepts_the_newer_database_and_records_the_older_release(
        self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_file(folder, "bbb", "aaa", add("first"))
        assert app(*COMMAND).exit_code == 0
        path.unlink()
        older = MetaData()
        Table("things", older, Column("id", Integer, primary_key=True))
        monkeypatch.setattr(db_production, "models", lambda: older)
        result = app(*COMMAND)
        assert result.exit_code == 0, result.output
        assert "the database is newer than this code: it has bbb" in result.output
        assert columns(url, "things") == {"id", "first"}
        assert on(url, partial(migration_log.running_release)) == release_schema(older)

    async def test_continues_after_it_was_killed(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", add("first"))
        write_file(folder, "ccc", "bbb", 'op.execute("SELECT pg_advisory_xact_lock(1)")')
        patched = (
            "import tests; from pathlib import Path; "
            "from app.migrate import script_files; from app.cli.main import cli; "
            f"script_files.MIGRATIONS = Path({str(folder)!r}); cli({list(COMMAND)!r})"
        )
        write_file(folder, "ddd", "ccc", add("second"))
        async with session_with(url, "SELECT pg_advisory_xact_lock(1)"):
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", patched, stdout=subprocess.PIPE)
            await until(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            process.send_signal(KILL_SIGNAL)
            await process.wait()
            assert columns(url, "things") == {"id", "first"}
            # The killed process's statement still waits on the server, in a transaction that will not be committed.
            assert "Another migration is running" in refused(app(*COMMAND), "migrating")
        await until(url, "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
        assert app(*COMMAND).exit_code == 0
        assert columns(url, "things") == {"id", "first", "second"}
        assert log(url) == [("bbb", "applied"), ("ccc", "interrupted"), ("ccc", "applied"), ("ddd", "applied")]

    def test_refuses_a_second_run_at_the_same_time(self, url: str) -> None:
        def run() -> None:
            with exclusive.exclusive(url) as is_free:
                assert is_free
                result = app(*COMMAND)
                assert result.exit_code == REFUSED
                assert "Another `app db migrate-production` is running" in result.stderr

        apart(run)
        assert app(*COMMAND).exit_code == 0

    def test_refuses_a_newer_database_without_a_table_of_the_models(self, folder: Path) -> None:
        path = write_file(folder, "bbb", "aaa", add("first"))
        assert app(*COMMAND).exit_code == 0
        path.unlink()
        result = app(*COMMAND)
        assert result.exit_code == 1
        assert "lacks what this code uses" in result.stderr


class TestConcurrentIndexes:
    CHANGE: Final = (
        "with op.get_context().autocommit_block():\n"
        '        op.create_index("ix_things", "things", ["id"], postgresql_concurrently=True, if_not_exists=True)'
    )

    def test_are_built_outside_of_a_transaction_and_rebuilt_after_an_interruption(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", self.CHANGE)
        execute(url, "CREATE INDEX ix_things ON things (id)", INVALIDATE)
        result = app(*COMMAND)
        assert result.exit_code == 0, result.output
        assert "Dropped the invalid index ix_things of an interrupted build." in result.output
        assert on(url, partial(Connection.scalar, statement=text(VALID))) is True
        assert log(url) == [("bbb", "applied")]

    def test_beside_other_statements_are_a_doubt(self, url: str, folder: Path) -> None:
        path = write_file(folder, "bbb", "aaa", f"{add('first')}\n    {self.CHANGE}")
        assert "bbb_.py: It has statements inside and outside" in refused(app(*COMMAND), "mixed-revision")
        assert columns(url, "things") == {"id"}
        path.unlink()
        write_file(
            folder, "bbb", "aaa", f"{add('first')}\n    {self.CHANGE}", extra='accepted = {"mixed-revision": "Reason"}'
        )
        assert app(*COMMAND).exit_code == 0

    def test_that_fail_are_not_reported_as_rolled_back(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", self.CHANGE.replace('["id"]', '["absent"]'))
        result = app(*COMMAND)
        assert result.exit_code == STOPPED
        assert "Revision bbb failed; what it did outside of a transaction remains" in result.stderr
        assert log(url) == [("bbb", "failed")]

    def test_that_no_revision_rebuilds_are_a_doubt(self, url: str, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", add("first"))
        execute(url, "CREATE INDEX ix_things ON things (id)", INVALIDATE)
        assert "REINDEX INDEX CONCURRENTLY ix_things;" in refused(app(*COMMAND), "invalid-index")


INVALIDATE: Final = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_things'::regclass"
VALID: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_things'::regclass"


class TestChecks:
    @pytest.fixture(autouse=True)
    def pending(self, url: str, folder: Path) -> None:  # noqa: ARG002 - the order matters
        write_file(folder, "bbb", "aaa", add("first"))

    async def test_find_long_transactions_and_locks(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(preflight, "LONG_TRANSACTION", 0)
        monkeypatch.setattr(preflight, "HELD_LOCK", 0)
        async with session_with(url, "LOCK TABLE things IN ACCESS SHARE MODE"):
            result = app(*COMMAND)
            assert "holds AccessShareLock on things" in refused(result, "locks")
        async with session_with(url, "SELECT txid_current()"):
            assert "has had a transaction open for" in refused(app(*COMMAND), "long-transactions")
            ignored = app(*COMMAND, "--ignore", "long-transactions")
            assert ignored.exit_code == 0, ignored.output

    def test_find_a_read_only_server(self, url: str) -> None:
        name = make_url(url).database
        execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        assert "read-only" in refused(app(*COMMAND), "server")

    def test_find_an_old_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(preflight, "MIN_VERSION", 99)
        assert "the oldest supported version is 99" in refused(app(*COMMAND), "server")

    def test_find_a_replication_slot_that_fills_the_disk(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(preflight, "MAX_RETAINED", -1)
        execute(url, "SELECT pg_create_physical_replication_slot('forgotten', true)")
        try:
            assert "SELECT pg_drop_replication_slot('forgotten');" in refused(app(*COMMAND), "disk")
        finally:
            execute(url, "SELECT pg_drop_replication_slot('forgotten')")


class TestRunningRelease:
    """The schema has to serve the models of the release that is running."""

    @pytest.fixture(autouse=True)
    def release(self, url: str) -> None:
        execute(url, "ALTER TABLE things ADD COLUMN note VARCHAR(20)", "ALTER TABLE things ADD COLUMN size INTEGER")
        models = MetaData()
        Table(
            "things",
            models,
            Column("id", Integer, primary_key=True),
            Column("note", String(20)),
            Column("size", Integer),
        )

        def write(connection: Connection) -> None:
            migration_log.create_tables(connection)
            migration_log.record_release(connection, release_schema(models))

        on(url, partial(write))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ('op.drop_table("things")', "drops the table things"),
            ('op.rename_table("things", "items")', "renames the table things"),
            ('op.drop_column("things", "note")', "drops things.note"),
            ('op.alter_column("things", "note", new_column_name="text")', "renames things.note"),
            ('op.alter_column("things", "note", nullable=False)', "makes things.note NOT NULL"),
            ('op.add_column("things", sa.Column("kind", sa.Numeric(4, 2), nullable=False))', "adds things.kind"),
            (
                'op.execute(\'ALTER TABLE "things" /* old */ DROP COLUMN "size", ADD COLUMN b int\')',
                "drops things.size",
            ),
        ],
    )
    def test_refuses_a_breaking_change(self, url: str, folder: Path, change: str, reason: str) -> None:
        write_file(folder, "bbb", "aaa", change)
        message = refused(app(*COMMAND), "running-release")
        assert reason in message
        assert "docs/migrations-in-production.md" in message
        assert columns(url, "things") == {"id", "note", "size"}

    @pytest.mark.parametrize(
        "change",
        [
            add("kind"),
            'op.add_column("things", sa.Column("kind", sa.Integer(), nullable=False, server_default="0"))',
            'op.alter_column("things", "note", type_=sa.String(50))',
            'op.alter_column("things", "size", type_=sa.BigInteger())',
            create("others"),
            "op.execute(\"COMMENT ON TABLE things IS 'ALTER TABLE things DROP COLUMN note;'\")",
        ],
    )
    def test_accepts_a_compatible_change(self, folder: Path, change: str) -> None:
        write_file(folder, "bbb", "aaa", change)
        result = app(*COMMAND)
        assert result.exit_code == 0, result.output

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ("op.execute(\"DO $$ BEGIN EXECUTE 'ALTER TABLE things DROP COLUMN note'; END $$\")", "no longer exists"),
            ('op.alter_column("things", "note", type_=sa.String(10))', "its type is now VARCHAR(10)"),
            ('op.alter_column("things", "size", type_=sa.SmallInteger())', "its type is now SMALLINT"),
        ],
    )
    def test_rolls_back_a_change_that_narrows_the_schema(
        self, url: str, folder: Path, change: str, reason: str
    ) -> None:
        write_file(folder, "bbb", "aaa", change)
        result = app(*COMMAND)
        assert result.exit_code == STOPPED
        assert reason in result.stderr
        assert columns(url, "things") == {"id", "note", "size"}

    def test_may_be_broken_by_a_revision_that_says_so(self, url: str, folder: Path) -> None:
        marker = 'accepted = {"breaks-running-release": "The application is stopped meanwhile."}'
        write_file(folder, "bbb", "aaa", 'op.drop_column("things", "note")', extra=marker)
        write_file(folder, "ccc", "bbb", add("kind"))
        assert app(*COMMAND).exit_code == 0
        assert columns(url, "things") == {"id", "size", "kind"}

    def test_refuses_a_marker_without_reasons(self, url: str, folder: Path) -> None:
        marker = 'accepted = ("breaks-running-release",)'
        write_file(folder, "bbb", "aaa", 'op.drop_column("things", "note")', extra=marker)
        result = app(*COMMAND)
        assert result.exit_code == 1
        assert "bbb_.py: write `accepted` as rules with reasons" in result.stderr
        assert columns(url, "things") == {"id", "note", "size"}

    @pytest.mark.parametrize("record", ['{"things": {"id": 3}}', "[1]", "null"])
    def test_refuses_a_damaged_record(self, url: str, folder: Path, record: str) -> None:
        execute(url, f"UPDATE migration_releases SET models = '{record}'")  # noqa: S608 - of a test
        write_file(folder, "bbb", "aaa", add("kind"))
        result = app(*COMMAND)
        assert result.exit_code == 1
        assert "record in the table migration_releases is damaged" in result.stderr
        assert columns(url, "things") == {"id", "note", "size"}


class TestSqlite:
    def test_shows_and_applies_the_revisions(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'production.db'}")
        write_file(folder, "aaa", None, create("things"))
        dry = app("db", "migrate-production", "--dry-run").output
        assert "the checks of a server don't apply" in dry
        assert "Pending: aaa" in dry
        assert "Applied aaa" in app(*COMMAND).output
        assert "Nothing to do" in app(*COMMAND).output
        assert "SQLite has no log" in app("db", "log").stderr


async def until(url: str, statement: str) -> None:
    """Wait until a statement returns a true value."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with asyncio.timeout(20), engine.connect() as connection:
        while not await connection.scalar(text(statement)):
            pass
    await engine.dispose()
