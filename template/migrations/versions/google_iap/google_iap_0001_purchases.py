"""Purchases in Google Play

Revision: google_iap_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "google_iap_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("google_iap",)
depends_on: str | Sequence[str] | None = ("users_0001", "plans_0001", "payments_0001")


def upgrade() -> None:
    op.create_table(
        "google_purchases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.Column("token", sa.String(1024), nullable=False),
        sa.Column("replaced_by", sa.String(64), nullable=True),
        sa.Column("order_id", sa.String(100), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("needs_acknowledgement", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_google_purchases")),
        sa.UniqueConstraint("token_id", name=op.f("uq_google_purchases_token_id")),
    )
    op.create_index(op.f("ix_google_purchases_replaced_by"), "google_purchases", ["replaced_by"])
    op.create_index(op.f("ix_google_purchases_needs_acknowledgement"), "google_purchases", ["needs_acknowledgement"])
    op.create_table(
        "google_voided_orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_id", sa.String(100), nullable=False),
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_google_voided_orders")),
        sa.UniqueConstraint("order_id", name=op.f("uq_google_voided_orders_order_id")),
    )
    op.create_index(op.f("ix_google_voided_orders_token_id"), "google_voided_orders", ["token_id"])


def downgrade() -> None:
    op.drop_table("google_voided_orders")
    op.drop_table("google_purchases")
