"""The tables of the audit log: its entries, and the chains that they form."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

ACTION_LENGTH: Final = 100
TARGET_TYPE_LENGTH: Final = 100
TARGET_ID_LENGTH: Final = 255
REQUEST_ID_LENGTH: Final = 64
USER_AGENT_LENGTH: Final = 300
CHAINS: Final = 8
"""Number of chains. As many transactions can write entries at the same moment."""
PROTECTED_DAYS: Final = 90
"""Days for which the database refuses to delete an entry. A trigger has the same number."""


class AuditRecord(SQLModel, table=True):
    """An entry of the audit log. It identifies people by ids only, and has no foreign keys: it survives its subjects.

    Each entry belongs to one chain: `hash` covers the entry and the `hash` of its predecessor, and `seal` is a MAC of
    `hash` with a key that the database does not have. `client` and `user_agent` are erased with their user: the hash
    covers `origin_digest` in place of them, which `origin_salt` protects against guessing.

    Attributes:
        actor_id: the user who acted; during impersonation, the administrator.
        impersonated_id: the user whom the actor impersonated.
        details: further facts.
        changes: `{field: [before, after]}`, redacted.
        client: the pseudonym of the actor's network address.
        key_id: identifies the key of the seal.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        UniqueConstraint("chain", "sequence"),
        Index(None, "actor_id", "id"),
        Index(None, "impersonated_id", "id"),
        Index(None, "target_type", "target_id", "id"),
        Index(None, "action", "id"),
        Index(None, "request_id"),
    )

    id: UUID = Field(primary_key=True)
    created_at: datetime
    chain: int
    sequence: int = Field(sa_type=BigInteger)
    actor_id: UUID | None = None
    impersonated_id: UUID | None = None
    action: str = Field(max_length=ACTION_LENGTH)
    target_type: str = Field(max_length=TARGET_TYPE_LENGTH)
    target_id: str = Field(max_length=TARGET_ID_LENGTH)
    details: dict[str, object] = Field(sa_type=JSON)
    changes: dict[str, object] = Field(sa_type=JSON)
    request_id: str | None = Field(default=None, max_length=REQUEST_ID_LENGTH)
    client: str | None = Field(default=None, max_length=64)
    user_agent: str | None = Field(default=None, max_length=USER_AGENT_LENGTH)
    origin_salt: str | None = Field(default=None, max_length=32)
    origin_digest: str = Field(max_length=64)
    key_id: str = Field(max_length=16)
    hash: str = Field(max_length=64)
    seal: str = Field(max_length=64)


class AuditChain(SQLModel, table=True):
    """A chain: its last entry, and the last entry that retention has deleted. A sequence of 0 means none.

    `trimmed_seal` covers the chain and the `trimmed_` columns. The last entry has a seal of its own.
    """

    __tablename__ = "audit_chains"

    chain: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sequence: int = Field(default=0, sa_type=BigInteger)
    hash: str = Field(default="", max_length=64)
    trimmed_sequence: int = Field(default=0, sa_type=BigInteger)
    trimmed_hash: str = Field(default="", max_length=64)
    trimmed_seal: str = Field(default="", max_length=64)

    @property
    def trimmed(self) -> tuple[int, int, str]:
        """The content of `trimmed_seal`."""
        return self.chain, self.trimmed_sequence, self.trimmed_hash
