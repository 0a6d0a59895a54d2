"""Readiness and requests on a database that lacks revisions, or has more than the code."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, text
from structlog.testing import capture_logs

from app.core.config.settings import Settings
from app.core.db.availability import DatabaseOutdatedError
from app.core.db.database import Database, create_database
from app.core.db.models import metadata
from app.core.db.revision_files import pending_revisions, read_revision_files
from app.core.db.schema_version import PendingRevisionsError, lacking, require_migrated
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.main import create_app
from app.migrate.migrations import upgrade
from app.migrate.script_files import branches, configuration
from tests.core.applications import PUBLIC, client_of, error_of
from tests.databases import Databases


@pytest.fixture
async def empty(databases: Databases, settings: Settings) -> AsyncIterator[Database]:
    async with databases.empty() as url:
        database = create_database(settings.with_database(url))
        yield database
        await database.dispose()


@pytest.fixture
async def fresh(databases: Databases, settings: Settings) -> AsyncIterator[Database]:
    async with databases.fresh() as url:
        database = create_database(settings.with_database(url))
        yield database
        await database.dispose()


async def ready(database: Database) -> httpx.Response:
    async with client_of(create_app((core,), runtime=create_runtime((core,), database=database))) as client:
        return await client.get(f"{PUBLIC}/health/ready")


async def replace_versions(database: Database, *versions: str) -> None:
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM alembic_version"))
        for version in versions:
            await session.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": version})


class TestReadiness:
    async def test_names_the_pending_revisions_until_they_are_applied(self, empty: Database) -> None:
        answer = await ready(empty)
        assert answer.status_code == 503
        assert "core_0001" in error_of(answer)["details"]["migrations"]
        assert "app db upgrade" in error_of(answer)["details"]["migrations"]
        url = empty.engine.url.render_as_string(hide_password=False)
        await asyncio.to_thread(upgrade, url)
        assert (await ready(empty)).status_code == 200

    async def test_is_degraded_by_them_where_that_is_set(
        self, empty: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("READY_WITH_PENDING_MIGRATIONS", "true")
        answer = await ready(empty)
        assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "degraded": ["migrations"]})

    async def test_is_checked_until_it_is_satisfied_and_then_no_more(self, fresh: Database) -> None:
        assert (await ready(fresh)).status_code == 200
        await replace_versions(fresh)
        assert (await ready(fresh)).status_code == 200
        fresh.migrated = False
        with pytest.raises(PendingRevisionsError, match=r"Pending revisions: .*users_0001"):
            await require_migrated(fresh)

    async def test_of_older_code_on_a_newer_database(self, fresh: Database) -> None:
        await replace_versions(fresh, "app_9999")
        assert (await ready(fresh)).status_code == 200

    async def test_of_a_newer_database_without_a_table_of_this_code(self, fresh: Database) -> None:
        await replace_versions(fresh, "app_9999")
        async with fresh.transaction() as session:
            await session.execute(text("ALTER TABLE inbox_events RENAME TO inbox_events_2"))
        answer = await ready(fresh)
        assert answer.status_code == 503
        assert "inbox_events" in error_of(answer)["details"]["migrations"]


class TestRevisionFiles:
    async def test_are_read_as_alembic_reads_them(self, databases: Databases) -> None:
        async with databases.empty() as url:
            found = branches(configuration(url))
        files = read_revision_files()
        assert {file.id for file in files} == found.ids
        for head in found.revisions:
            applied = found.ids - set(pending_revisions(files, [head.revision]))
            assert applied == found.foundations(head)


class TestMissingTable:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM users",
            "SELECT users.id FROM users",
            "INSERT INTO users (id) VALUES (1)",
            "SELECT role FROM (SELECT 1) AS other",
        ],
    )
    async def test_is_one_line_in_the_log(self, empty: Database, statement: str) -> None:
        with capture_logs() as logs, pytest.raises(DatabaseOutdatedError):
            async with empty.transaction() as session:
                await session.execute(text(statement))
        (line,) = logs
        assert line["event"] == "database_revision_missing"
        assert "app db upgrade" in line["hint"]
        assert "exc_info" not in line

    async def test_of_a_column(self, fresh: Database) -> None:
        async with fresh.transaction() as session:
            await session.execute(text("ALTER TABLE users RENAME COLUMN full_name TO other_name"))
        with pytest.raises(DatabaseOutdatedError):
            await fresh.fetch(metadata.tables["users"].select(), {})

    async def test_that_no_model_has_is_a_mistake_in_the_statement(self, empty: Database) -> None:
        with pytest.raises(Exception, match="unheard_of"):
            await empty.fetch(text("SELECT * FROM unheard_of"), {})


class TestLacking:
    async def test_names_tables_and_columns(self, fresh: Database) -> None:
        models = MetaData()
        Table("users", models, Column("id", Integer), Column("nickname", String(5)))
        Table("bills", models, Column("id", Integer))
        async with fresh.engine.connect() as connection:
            assert sorted(await connection.run_sync(lacking, models)) == ["bills", "users.nickname"]
            assert await connection.run_sync(lacking, metadata) == []
