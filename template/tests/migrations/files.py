"""Revision files that a test writes by hand."""

from pathlib import Path

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
