"""Entries and their chains

Revision: audit_0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "audit_0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("audit",)
depends_on: str | Sequence[str] | None = ("core_0001", "users_0001")

# An entry cannot be changed, except that its client and its user agent are erased with their user. It can be deleted
# once it is 90 days old. A chain stays, and its two ends only move forward.
POSTGRESQL = (
    """
    CREATE FUNCTION audit_entries_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.created_at < now() - interval '90 days' THEN
                RETURN OLD;
            END IF;
        ELSIF TG_OP = 'UPDATE' THEN
            IF NEW.client IS NULL AND NEW.user_agent IS NULL AND NEW.origin_salt IS NULL
                AND to_jsonb(NEW) - '{client,user_agent,origin_salt}'::text[]
                    = to_jsonb(OLD) - '{client,user_agent,origin_salt}'::text[] THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'entries of the audit log are final' USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_entries_are_final BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_entries_are_final()
    """,
    """
    CREATE TRIGGER audit_entries_are_not_truncated BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final()
    """,
    """
    CREATE FUNCTION audit_chains_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.chain = OLD.chain AND NEW.sequence >= OLD.sequence
                AND NEW.trimmed_sequence >= OLD.trimmed_sequence THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'chains of the audit log only grow' USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_chains_only_grow BEFORE UPDATE OR DELETE ON audit_chains
    FOR EACH ROW EXECUTE FUNCTION audit_chains_only_grow()
    """,
    """
    CREATE TRIGGER audit_chains_are_not_truncated BEFORE TRUNCATE ON audit_chains
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chains_only_grow()
    """,
)
FINAL_COLUMNS = (
    "id",
    "created_at",
    "chain",
    "sequence",
    "actor_id",
    "impersonated_id",
    "action",
    "target_type",
    "target_id",
    "details",
    "changes",
    "request_id",
    "origin_digest",
    "key_id",
    "hash",
    "seal",
)
SQLITE = (
    f"""
    CREATE TRIGGER audit_entries_are_final BEFORE UPDATE ON audit_entries
    WHEN NEW.client IS NOT NULL OR NEW.user_agent IS NOT NULL OR NEW.origin_salt IS NOT NULL
        OR {" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in FINAL_COLUMNS)}
    BEGIN
        SELECT RAISE(ABORT, 'entries of the audit log are final');
    END
    """,
    """
    CREATE TRIGGER audit_entries_are_not_deleted BEFORE DELETE ON audit_entries
    WHEN OLD.created_at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-90 days')
    BEGIN
        SELECT RAISE(ABORT, 'entries of the audit log are final');
    END
    """,
    """
    CREATE TRIGGER audit_chains_only_grow BEFORE UPDATE ON audit_chains
    WHEN NEW.chain != OLD.chain OR NEW.sequence < OLD.sequence OR NEW.trimmed_sequence < OLD.trimmed_sequence
    BEGIN
        SELECT RAISE(ABORT, 'chains of the audit log only grow');
    END
    """,
    """
    CREATE TRIGGER audit_chains_are_not_deleted BEFORE DELETE ON audit_chains
    BEGIN
        SELECT RAISE(ABORT, 'chains of the audit log only grow');
    END
    """,
)


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("impersonated_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("target_type", sa.String(100), nullable=False),
        sa.Column("target_id", sa.String(255), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("client", sa.String(64), nullable=True),
        sa.Column("user_agent", sa.String(300), nullable=True),
        sa.Column("origin_salt", sa.String(32), nullable=True),
        sa.Column("origin_digest", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("chain", "sequence", name=op.f("uq_audit_entries_chain_sequence")),
    )
    op.create_index(op.f("ix_audit_entries_actor_id_id"), "audit_entries", ["actor_id", "id"])
    op.create_index(op.f("ix_audit_entries_impersonated_id_id"), "audit_entries", ["impersonated_id", "id"])
    target = ["target_type", "target_id", "id"]
    op.create_index(op.f("ix_audit_entries_target_type_target_id_id"), "audit_entries", target)
    op.create_index(op.f("ix_audit_entries_action_id"), "audit_entries", ["action", "id"])
    op.create_index(op.f("ix_audit_entries_request_id"), "audit_entries", ["request_id"])
    op.create_table(
        "audit_chains",
        sa.Column("chain", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("trimmed_sequence", sa.BigInteger(), nullable=False),
        sa.Column("trimmed_hash", sa.String(64), nullable=False),
        sa.Column("trimmed_seal", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_chains")),
    )
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_chains")
    op.drop_table("audit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entries_are_final, audit_chains_only_grow")
