"""An empty database, and revisions that a test may add to."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.core.db.models import metadata
from app.migrate import script_files
from tests.databases import Databases
from tests.migrations.rows import own_tables


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """The URL of an empty database."""
    async with databases.empty() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of `migrations` without the project's own revisions, and metadata without the tables that they make."""
    copy = tmp_path / "migrations"
    shutil.copytree(script_files.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(copy / "versions" / "app", ignore_errors=True)
    monkeypatch.setattr(script_files, "MIGRATIONS", copy)
    hidden = own_tables()
    for table in hidden:
        metadata.remove(table)
    yield copy
    for table in hidden:
        metadata._add_table(table.name, table.schema, table)  # noqa: SLF001 - no public method puts a table back
