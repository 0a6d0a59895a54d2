"""Ledger

Revision: usage_billing_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "usage_billing_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("usage_billing",)
depends_on: str | Sequence[str] | None = ("users_0001", "payments_0001", "stripe_0001")


def upgrade() -> None:
    op.create_table(
        "usage_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.String(50), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(200), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("customer_id", sa.String(255), nullable=True),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'parked', 'sent', 'rejected', 'unclear')",
            name=op.f("ck_usage_records_usage_state"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_usage_records_quantity")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], ondelete="CASCADE", name=op.f("fk_usage_records_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_records")),
        sa.UniqueConstraint("user_id", "meter", "key", name=op.f("uq_usage_records_user_id_meter_key")),
    )
    op.create_index(
        op.f("ix_usage_records_user_id_meter_occurred_at"), "usage_records", ["user_id", "meter", "occurred_at"]
    )
    is_open = sa.text("state <> 'sent'")
    op.create_index(
        "ix_usage_records_open", "usage_records", ["state", "due_at"], postgresql_where=is_open, sqlite_where=is_open
    )
    op.create_table(
        "meter_error_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("meter_id", sa.String(255), nullable=False),
        sa.Column("code", sa.String(100), nullable=False),
        sa.Column("error_count", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_error_reports")),
        sa.UniqueConstraint("event_id", "code", name=op.f("uq_meter_error_reports_event_id_code")),
    )


def downgrade() -> None:
    op.drop_table("meter_error_reports")
    op.drop_table("usage_records")
