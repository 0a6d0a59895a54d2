"""Messages

Revision: contact_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "contact_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("contact",)
depends_on: str | Sequence[str] | None = ("users_0001",)


def upgrade() -> None:
    op.create_table(
        "contact_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("company", sa.String(200), nullable=True),
        sa.Column("subject", sa.String(200), nullable=True),
        sa.Column("message", sa.String(5000), nullable=False),
        sa.Column("extra_fields", sa.JSON(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("consent_version", sa.String(50), nullable=True),
        sa.Column("consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("spam_reason", sa.String(40), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('new', 'answered', 'spam')", name=op.f("ck_contact_messages_message_state")),
        sa.CheckConstraint("spam_reason IN ('honeypot', 'too_fast')", name=op.f("ck_contact_messages_spam_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_messages")),
        sa.UniqueConstraint("form_id", name=op.f("uq_contact_messages_form_id")),
    )
    op.create_index(op.f("ix_contact_messages_state_id"), "contact_messages", ["state", "id"])
    op.create_index(op.f("ix_contact_messages_created_at"), "contact_messages", ["created_at"])
    op.create_index(op.f("ix_contact_messages_email_key"), "contact_messages", ["email_key"])
    op.create_table(
        "contact_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.CheckConstraint(
            "kind IN ('notification', 'confirmation', 'webhook')", name=op.f("ck_contact_deliveries_delivery_kind")
        ),
        sa.CheckConstraint("state IN ('pending', 'sent', 'failed')", name=op.f("ck_contact_deliveries_delivery_state")),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["contact_messages.id"],
            ondelete="CASCADE",
            name=op.f("fk_contact_deliveries_message_id_contact_messages"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_deliveries")),
        sa.UniqueConstraint("message_id", "kind", name=op.f("uq_contact_deliveries_message_id_kind")),
    )
    is_pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_contact_deliveries_due",
        "contact_deliveries",
        ["due_at"],
        postgresql_where=is_pending,
        sqlite_where=is_pending,
    )
    op.create_table(
        "contact_recipients",
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("recipient", name=op.f("pk_contact_recipients")),
    )
    op.create_index(op.f("ix_contact_recipients_confirmed_at"), "contact_recipients", ["confirmed_at"])


def downgrade() -> None:
    op.drop_table("contact_recipients")
    op.drop_table("contact_deliveries")
    op.drop_table("contact_messages")
