"""Usage

Revision: plans_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "plans_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("plans",)
depends_on: str | Sequence[str] | None = ("users_0001",)


def upgrade() -> None:
    op.create_table(
        "plan_usage",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(50), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_plan_usage_used")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], ondelete="CASCADE", name=op.f("fk_plan_usage_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_usage")),
        sa.UniqueConstraint(
            "user_id", "resource", "period_start", name=op.f("uq_plan_usage_user_id_resource_period_start")
        ),
    )
    op.create_index(op.f("ix_plan_usage_period_end"), "plan_usage", ["period_end"])


def downgrade() -> None:
    op.drop_table("plan_usage")
