import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.db.models import metadata
from app.kit.user_error import UserError
from app.migrate import migrations
from app.migrate.branches import Branches
from app.migrate.database_state import current_heads, on_database
from app.migrate.differences import Differences, differences
from app.migrate.script_files import branches, configuration
from tests.cli.test_commands import app, refused
from tests.migrations.files import create, write_file
from tests.migrations.rows import fill
from tests.processes import APP

pytestmark = pytest.mark.every_module


def branches_of(url: str) -> Branches:
    return branches(configuration(url, needs_metadata=False))


def names_of_dependents(found: Branches, name: str) -> set[str]:
    """The branches that have to be reverted before this one."""
    return {found.name_of(revision) for revision in found.dependents(found.line(name))}


class TestUpgrade:
    async def test_creates_the_schema_of_the_models(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == Differences([], [])

    async def test_reports_each_revision_once(self, url: str) -> None:
        said: list[str] = []
        count = await asyncio.to_thread(migrations.upgrade, url, say=said.append)
        assert count == len(said) == len(branches_of(url).revisions)
        assert await asyncio.to_thread(migrations.upgrade, url) == 0

    async def test_downgrades_and_upgrades_tables_with_rows(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        await fill(url, metadata)
        await asyncio.to_thread(migrations.downgrade, url, "base")
        assert await asyncio.to_thread(current_heads, url) == ()
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == Differences([], [])

    async def test_two_concurrent_upgrades_run_one_after_the_other(self, url: str) -> None:
        command = [*APP, "db", "upgrade"]
        environment = os.environ | {"DATABASE_URL": url}
        running = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(2)]
        assert [await process.wait() for process in running] == [0, 0]
        assert await asyncio.to_thread(differences, url) == Differences([], [])


class TestDowngrade:
    async def test_reverts_each_module_separately(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        await fill(url, metadata)
        found = branches_of(url)
        remaining = set(found.names)
        while remaining:
            name = next(name for name in sorted(remaining) if remaining.isdisjoint(names_of_dependents(found, name)))
            remaining.remove(name)
            assert await asyncio.to_thread(migrations.downgrade, url, f"{name}@base") == len(found.line(name))
        assert await asyncio.to_thread(current_heads, url) == ()

    async def test_refuses_while_others_stand_on_it(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        with pytest.raises(UserError, match=r"users: users_0001 .*migrations/versions/users"):
            await asyncio.to_thread(migrations.downgrade, url, "core@base")
        assert await asyncio.to_thread(differences, url) == Differences([], [])

    @pytest.mark.parametrize("target", ["unknown@base", "users@+1", "users_9999", "head", ""])
    async def test_names_the_branches_if_the_target_is_unknown(self, url: str, target: str) -> None:
        with pytest.raises(UserError, match=r"The names are: .*core.*users"):
            await asyncio.to_thread(migrations.downgrade, url, target)


LATER = (
    'revision = "later_0001"\ndown_revision = None\nbranch_labels = ("later",)\ndepends_on = None\n'
    "def upgrade() -> None: ...\ndef downgrade() -> None: ...\n"
)


class TestNewerDatabase:
    """The database has a revision that has no file."""

    @pytest.fixture(autouse=True)
    async def newer(self, url: str, folder: Path) -> None:
        path = folder / "versions" / "later" / "later_0001.py"
        path.parent.mkdir()
        path.write_text(LATER)
        await asyncio.to_thread(migrations.upgrade, url)
        path.unlink()

    async def test_is_refused_without_advice_to_downgrade(self, url: str) -> None:
        with pytest.raises(UserError, match="later_0001") as refused:
            await asyncio.to_thread(migrations.upgrade, url)
        assert "downgrade" not in str(refused.value)

    async def test_is_accepted_after_a_rollback(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("ENVIRONMENT", "production")
        result = app("db", "upgrade")
        assert result.exit_code == 0
        assert result.output.startswith("Warning: the database is newer than this code: it has later_0001.")

    async def test_is_refused_if_it_lacks_a_table_of_the_models(self, url: str) -> None:
        models = MetaData()
        Table("unheard_of", models)
        Table("users", models, Column("unheard_of", Integer))
        with pytest.raises(UserError, match=r"later_0001.*lacks what this code uses: unheard_of, users.unheard_of"):
            await asyncio.to_thread(migrations.upgrade, url, newer_than=lambda: models)


class TestFailure:
    """The message of a revision that fails on tables with rows."""

    @pytest.fixture(autouse=True)
    async def row(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", url)
        write_file(folder, "aaa", None, create("rows"))
        await asyncio.to_thread(migrations.upgrade, url)
        await asyncio.to_thread(on_database, url, lambda it: it.execute(text("INSERT INTO rows (id) VALUES (1)")))

    @pytest.mark.parametrize(
        "change",
        [
            'op.add_column("rows", sa.Column("note", sa.Integer(), nullable=False))',
            (
                'with op.batch_alter_table("rows") as batch:\n'
                '        batch.add_column(sa.Column("note", sa.Integer(), nullable=False))'
            ),
        ],
    )
    async def test_of_a_column_without_a_value_shows_the_solution(self, folder: Path, change: str) -> None:
        write_file(folder, "bbb", "aaa", change)
        said = refused(app("db", "upgrade"))
        assert "UPDATE" in said
        assert "nullable=False" in said
        assert "Check DATABASE_URL" not in said
        assert "Applied" not in app("db", "current").output

    async def test_of_a_constraint_names_the_next_step(self, folder: Path) -> None:
        change = (
            'with op.batch_alter_table("rows") as batch:\n        batch.create_check_constraint("positive", "id > 5")'
        )
        write_file(folder, "bbb", "aaa", change)
        assert "rows that the new constraint forbids" in refused(app("db", "upgrade"))


class TestDialects:
    async def test_a_revision_can_skip_other_databases(self, url: str, folder: Path) -> None:
        change = 'op.execute("DO $$ BEGIN CREATE TABLE only_there (id INTEGER); END $$")'
        write_file(folder, "aaa", None, change, 'op.drop_table("only_there")', extra='dialects = ("postgresql",)')
        await asyncio.to_thread(migrations.upgrade, url)
        found = await asyncio.to_thread(on_database, url, lambda it: inspect(it).has_table("only_there"))
        assert found == url.startswith("postgresql")
        assert await asyncio.to_thread(migrations.downgrade, url, "app@base") == 1


class TestLocks:
    async def test_are_given_up_soon_and_tried_again(self, url: str, folder: Path) -> None:
        if url.startswith("sqlite"):
            return
        environment = folder / "env.py"
        environment.write_text(environment.read_text().replace("LOCK_TIMEOUT = 5\n", "LOCK_TIMEOUT = 1\n"))
        write_file(folder, "aaa", None, create("busy"))
        await asyncio.to_thread(migrations.upgrade, url)
        write_file(folder, "bbb", "aaa", 'op.add_column("busy", sa.Column("note", sa.Integer(), nullable=True))')
        engine = create_async_engine(url)
        async with engine.connect() as holder, engine.connect() as reader:
            await holder.execute(text("SELECT * FROM busy"))
            upgrading = asyncio.create_task(asyncio.to_thread(migrations.upgrade, url))
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not await reader.scalar(waiting):
                await reader.rollback()
            # The queue that a waiting ALTER TABLE makes is gone after its timeout.
            async with asyncio.timeout(4):
                await reader.execute(text("SELECT * FROM busy"))
            await reader.rollback()
            await holder.rollback()
            assert await upgrading == 1
        await engine.dispose()
