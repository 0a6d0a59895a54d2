"""Impersonations

Revision: impersonation_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "impersonation_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("impersonation",)
depends_on: str | Sequence[str] | None = ("users_0001",)


def upgrade() -> None:
    op.create_table(
        "impersonations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("admin_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(40), nullable=True),
        sa.CheckConstraint(
            "end_reason IN ('stopped', 'replaced', 'expired', 'revoked')",
            name=op.f("ck_impersonations_end_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["admin_id"], ["users.id"], ondelete="CASCADE", name=op.f("fk_impersonations_admin_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], ondelete="CASCADE", name=op.f("fk_impersonations_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impersonations")),
    )
    op.create_index(op.f("ix_impersonations_admin_id"), "impersonations", ["admin_id"])
    op.create_index(op.f("ix_impersonations_user_id"), "impersonations", ["user_id"])
    op.create_index(op.f("ix_impersonations_ended_at"), "impersonations", ["ended_at"])
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_impersonations_open",
        "impersonations",
        ["admin_id"],
        unique=True,
        postgresql_where=is_open,
        sqlite_where=is_open,
    )


def downgrade() -> None:
    op.drop_table("impersonations")
