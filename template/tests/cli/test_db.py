import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from app.migrate.database_state import on_database
from tests.cli.test_commands import app, refused
from tests.databases import Databases, apart
from tests.migrations.files import without_own_revisions
from tests.processes import APP


@pytest.fixture(autouse=True)
async def url(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """DATABASE_URL is that of an empty database."""
    async with databases.empty() as opened:
        monkeypatch.setenv("DATABASE_URL", opened)
        yield opened


class TestUpgrade:
    def test_prints_each_step_or_that_there_is_none(self) -> None:
        assert "Applied users_0001: " in app("db", "upgrade").output
        assert app("db", "upgrade").output.startswith("Nothing to do")


class TestDowngrade:
    def test_prints_each_step_or_that_there_is_none(self) -> None:
        app("db", "upgrade")
        assert "Reverted users_0001: " in app("db", "downgrade", "base", "--yes").output
        assert app("db", "downgrade", "base").output.startswith("Nothing to do")

    def test_lists_the_lost_tables_and_asks_for_confirmation(
        self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with without_own_revisions(tmp_path / "migrations", monkeypatch):
            app("db", "upgrade")
            fields = "id, created_at, updated_at, role, is_active"
            row = "'00000000-0000-7000-8000-000000000001', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 'user', true"
            insert = f"INSERT INTO users ({fields}) VALUES ({row})"  # noqa: S608 - constants
            apart(partial(on_database, url, partial(Connection.execute, statement=text(insert))))

            asked = app("db", "downgrade", "users_0001")

            assert asked.exit_code == 1
            assert "  users_0003 (Roles of the project: the database accepts any name)\n  users_0002 (" in asked.output
            assert "  column users.tokens_valid_from, 1 row\n" in asked.output
            assert "Nothing to do" in app("db", "upgrade").output
            assert "table users, 1 row\n" in app("db", "downgrade", "base").output
            assert "column" not in app("db", "downgrade", "base").output
            assert "Reverted users_0003" in app("db", "downgrade", "users_0001", answer="y\n").output

    def test_refuses_an_unknown_target(self) -> None:
        assert "unknown@base is neither" in refused(app("db", "downgrade", "unknown@base"))


class TestCurrent:
    def test_prints_the_revision_of_each_module(self) -> None:
        assert "users            none, " in app("db", "current").output
        app("db", "upgrade")
        assert "users            users_0003 (" in app("db", "current").output

    def test_ends_without_an_error_if_its_output_is_closed(self) -> None:
        command = [*APP, "db", "current"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == ""


class TestReset:
    def test_asks_for_confirmation_and_recreates_the_database(self, url: str) -> None:
        app("db", "upgrade")
        statements = ["CREATE TABLE hand_made (id INTEGER)", "INSERT INTO hand_made VALUES (1)"]
        if not url.startswith("sqlite"):
            statements.append("CREATE FUNCTION \"Hand made\"(INTEGER) RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'")
        for statement in statements:
            apart(partial(on_database, url, partial(Connection.execute, statement=text(statement))))
        assert app("db", "reset").exit_code == 1
        assert "Nothing to do" in app("db", "upgrade").output
        assert "Applied users_0001" in app("db", "reset", "--yes").output
        for statement in statements:
            apart(partial(on_database, url, partial(Connection.execute, statement=text(statement))))
        assert "Applied users_0001" in app("db", "reset", "--yes").output
        assert app("db", "check").output == "The models and the database agree.\n"

    @pytest.mark.parametrize("environment", ["staging", "production"])
    def test_is_for_local_only(self, monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
        monkeypatch.setenv("ENVIRONMENT", environment)
        assert "only with ENVIRONMENT=local" in refused(app("db", "reset", "--yes"))


class TestHistory:
    def test_lists_revisions_in_the_order_of_their_dependencies(self) -> None:
        app("db", "upgrade")
        said = app("db", "history").output
        assert said.index("core_0001") < said.index("users_0001")
        assert "applied  users" in said


class TestCheck:
    def test_reports_differences_or_their_absence(self) -> None:
        assert "app db upgrade" in refused(app("db", "check"))
        app("db", "upgrade")
        assert app("db", "check").output == "The models and the database agree.\n"


class TestRevision:
    def test_writes_no_revision_without_a_difference(self) -> None:
        app("db", "upgrade")
        assert app("db", "revision", "-m", "Nothing").output.startswith("Nothing to do")

    def test_wants_a_message(self) -> None:
        assert "Missing option '-m'" in app("db", "revision").output
