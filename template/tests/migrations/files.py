"""Revision files: the template's without the project's own, and files that a test writes by hand."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.db.models import metadata
from app.migrate import script_files
from tests.migrations.rows import own_tables

TEXT = """
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {parent!r}
branch_labels = {labels!r}
depends_on = None
{extra}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
"""


@contextmanager
def without_own_revisions(copy: Path, patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Hide the project's own revisions, which may depend on those that a test reverts, and their tables.

    Args:
        copy: the folder for a copy of `migrations`, which the commands then use.
    """
    shutil.copytree(script_files.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(copy / "versions" / "app", ignore_errors=True)
    patch.setattr(script_files, "MIGRATIONS", copy)
    hidden = own_tables()
    for table in hidden:
        metadata.remove(table)
    try:
        yield copy
    finally:
        for table in hidden:
            metadata._add_table(table.name, table.schema, table)  # noqa: SLF001 - no public method puts a table back


def write_file(
    folder: Path,
    revision: str,
    parent: str | None,
    upgrade: str = "pass",
    downgrade: str = "pass",
    *,
    extra: str = "",
) -> Path:
    """Write a revision of the project's own branch into the copy of `migrations`."""
    path = folder / "versions" / "app" / f"{revision}_.py"
    path.parent.mkdir(exist_ok=True)
    labels = ("app",) if parent is None else None
    path.write_text(
        TEXT.format(id=revision, parent=parent, labels=labels, upgrade=upgrade, downgrade=downgrade, extra=extra)
    )
    return path


def create(table: str) -> str:
    """Return the statement of a revision that creates a table."""
    return f'op.create_table("{table}", sa.Column("id", sa.Integer(), primary_key=True))'
