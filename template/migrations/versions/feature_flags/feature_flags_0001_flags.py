"""Flags

Revision: feature_flags_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "feature_flags_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("feature_flags",)
depends_on: str | Sequence[str] | None = ("users_0001",)


def upgrade() -> None:
    op.create_table(
        "feature_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("user_count >= 0", name=op.f("ck_feature_flags_user_count")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_flags")),
        sa.UniqueConstraint("key", name=op.f("uq_feature_flags_key")),
    )
    op.create_table(
        "feature_flag_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flag_id"],
            ["feature_flags.id"],
            ondelete="CASCADE",
            name=op.f("fk_feature_flag_users_flag_id_feature_flags"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], ondelete="CASCADE", name=op.f("fk_feature_flag_users_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_flag_users")),
        sa.UniqueConstraint("user_id", "flag_id", name=op.f("uq_feature_flag_users_user_id_flag_id")),
    )
    op.create_index(op.f("ix_feature_flag_users_flag_id_id"), "feature_flag_users", ["flag_id", "id"])
    op.create_table(
        "feature_flag_revisions",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_flag_revisions")),
    )


def downgrade() -> None:
    op.drop_table("feature_flag_revisions")
    op.drop_table("feature_flag_users")
    op.drop_table("feature_flags")
