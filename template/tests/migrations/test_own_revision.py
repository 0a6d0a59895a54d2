import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, String, Table, Uuid

from app.core.db.models import metadata
from app.kit.user_error import UserError
from app.migrate import migrations
from app.migrate.differences import Differences, differences
from app.migrate.differences import make_revision as write_revision
from app.migrate.script_files import branches, configuration
from tests.migrations.rows import count, fill

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("folder")


def make_revision(url: str, message: str, *, module: str | None = None, empty: bool = False) -> Path | None:
    return write_revision(url, message, module=module, empty=empty).path


@pytest.fixture
def invoices() -> Iterator[Table]:
    """A table of the project's own, which refers to users."""
    table = Table(
        "invoices",
        metadata,
        Column[UUID]("id", Uuid, primary_key=True),
        Column[UUID]("user_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
        Column[str]("number", String(20), nullable=False, unique=True),
    )
    yield table
    metadata.remove(table)


class TestMakeRevision:
    async def test_creates_and_drops_a_new_table(self, url: str, folder: Path, invoices: Table) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        path = await asyncio.to_thread(make_revision, url, "Invoices")
        assert path is not None
        assert path.parent == folder / "versions" / "app"
        text = path.read_text()
        assert 'branch_labels: str | Sequence[str] | None = ("app",)\n' in text
        # Of the module that it refers to, and of no other.
        assert 'depends_on: str | Sequence[str] | None = "users_0003"\n' in text
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == Differences([], [])
        await fill(url, metadata)
        assert await count(url, invoices) == 1
        with pytest.raises(UserError, match=r"app: [0-9a-f]+ \(Invoices\)"):
            await asyncio.to_thread(migrations.downgrade, url, "users@base")
        await asyncio.to_thread(migrations.downgrade, url, "app@base")
        await asyncio.to_thread(migrations.upgrade, url)

    async def test_follows_the_one_before(self, url: str, invoices: Table) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        first = await asyncio.to_thread(make_revision, url, "Invoices")
        await asyncio.to_thread(migrations.upgrade, url)
        invoices.append_column(Column("note", String(20), nullable=True))
        second = await asyncio.to_thread(make_revision, url, "A note")
        assert first is not None
        assert second is not None
        assert first.name.split("_")[0] in second.read_text()
        assert "depends_on: str | Sequence[str] | None = None" in second.read_text()
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == Differences([], [])

    async def test_leaves_a_file_that_the_linter_accepts(
        self,
        url: str,
        folder: Path,
        invoices: Table,  # noqa: ARG002
    ) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        await asyncio.to_thread(make_revision, url, "Invoices")
        shutil.copy(ROOT / "ruff.toml", folder.parent)
        for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
            arguments = [sys.executable, "-m", "ruff", *command, "migrations/versions/app"]
            run = partial(subprocess.run, arguments, cwd=folder.parent, capture_output=True, text=True, check=False)
            done = await asyncio.to_thread(run)
            assert done.returncode == 0, done.stdout

    async def test_writes_no_revision_without_a_difference(self, url: str, folder: Path) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(make_revision, url, "Nothing") is None
        assert not (folder / "versions" / "app").exists()

    async def test_writes_an_empty_one_with_the_option(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        path = await asyncio.to_thread(make_revision, url, "Fill", empty=True)
        assert path is not None
        text = path.read_text()
        assert "pass" in text
        # It may use anything, so it stands on everything.
        newest = list(branches(configuration(url)).revisions)[-2]
        assert newest.revision in text
        assert await asyncio.to_thread(migrations.upgrade, url) == 1

    async def test_accepts_the_name_of_the_own_branch(self, url: str, folder: Path) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        path = await asyncio.to_thread(make_revision, url, "Backfill", module="app", empty=True)
        assert path is not None
        assert path.parent == folder / "versions" / "app"

    async def test_writes_changes_of_a_module_into_its_branch(self, url: str, folder: Path) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        users = metadata.tables["users"]
        column = Column("nickname", String(20), nullable=True)
        users.append_column(column)
        try:
            path = await asyncio.to_thread(make_revision, url, "Nickname", module="users")
        finally:
            _remove(metadata, users, column)
        assert path == folder / "versions" / "users" / "users_0004_nickname.py"

    async def test_refuses_an_unknown_module(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        with pytest.raises(UserError, match="no module unknown"):
            await asyncio.to_thread(make_revision, url, "Nothing", module="unknown")

    async def test_refuses_a_database_that_lacks_revisions(self, url: str) -> None:
        with pytest.raises(UserError, match="app db upgrade"):
            await asyncio.to_thread(make_revision, url, "Early")


class TestDifferences:
    async def test_are_described_in_words(self, url: str, invoices: Table) -> None:  # noqa: ARG002
        await asyncio.to_thread(migrations.upgrade, url)
        found = await asyncio.to_thread(differences, url)
        assert "table invoices: in the models, not in the database" in found.lines


def _remove(of: MetaData, table: Table, column: Column[str]) -> None:
    """Remove a column from a table, for which SQLAlchemy has no function."""
    assert table in of.sorted_tables
    table._columns.remove(column)  # noqa: SLF001
