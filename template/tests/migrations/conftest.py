"""An empty database, and revisions that a test may add to."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.migrations.files import without_own_revisions


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """The URL of an empty database."""
    async with databases.empty() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of `migrations` without the project's own revisions, and metadata without the tables that they make."""
    with without_own_revisions(tmp_path / "migrations", monkeypatch) as copy:
        yield copy
