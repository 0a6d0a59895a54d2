"""Index of the subscriptions by plan

Revision: payments_0002
Revises: payments_0001
"""

from collections.abc import Sequence

from alembic import op

revision: str = "payments_0002"
down_revision: str | Sequence[str] | None = "payments_0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
accepted = {"require-concurrent-index-creation": "The table has one row for each paying user; the index takes seconds."}


def upgrade() -> None:
    op.create_index(op.f("ix_subscriptions_plan_status_product"), "subscriptions", ["plan", "status", "product"])


def downgrade() -> None:
    op.drop_index(op.f("ix_subscriptions_plan_status_product"), table_name="subscriptions")
