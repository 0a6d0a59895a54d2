"""An empty database, and revisions that a test may add to."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.migrate import script_files
from tests.databases import Databases


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """The URL of an empty database."""
    async with databases.empty() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `migrations`, without the project's own revisions."""
    copy = tmp_path / "migrations"
    shutil.copytree(script_files.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(copy / "versions" / "app", ignore_errors=True)
    monkeypatch.setattr(script_files, "MIGRATIONS", copy)
    return copy
