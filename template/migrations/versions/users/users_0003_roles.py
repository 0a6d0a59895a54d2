"""Roles of the project: the database accepts any name

Revision: users_0003
Revises: users_0002
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "users_0003"
down_revision: str | Sequence[str] | None = "users_0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
accepted = {
    "ban-drop-constraint": "Without it, every release can still write the values that it wrote before.",
    "changing-column-type": "A longer VARCHAR: PostgreSQL changes the catalog only and rewrites no row.",
}


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("ck_users_role"), type_="check")
        users.alter_column("role", existing_type=sa.String(16), type_=sa.String(50), existing_nullable=False)


def downgrade() -> None:
    # The constraint below allows no other roles, and the least powerful one is safe.
    op.execute("UPDATE users SET role = 'user' WHERE role NOT IN ('user', 'admin')")
    with op.batch_alter_table("users") as users:
        users.alter_column("role", existing_type=sa.String(50), type_=sa.String(16), existing_nullable=False)
        users.create_check_constraint(op.f("ck_users_role"), "role IN ('user', 'admin')")
