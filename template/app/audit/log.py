"""The audit log as the application's audit trail (`app.core.ports.audit`)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.audit.models import (
    ACTION_LENGTH,
    CHAINS,
    REQUEST_ID_LENGTH,
    TARGET_ID_LENGTH,
    TARGET_TYPE_LENGTH,
    USER_AGENT_LENGTH,
    AuditChain,
    AuditRecord,
)
from app.audit.sealing import SealingKeys, link, new_salt, origin_digest
from app.core.context import Origin, current_origin
from app.core.db.commit_writers import write_before_commit
from app.core.db.database import READ_ONLY, insert_if_absent
from app.core.db.log_audit import LogAudit, shown_changes
from app.core.db.models import utc_now
from app.core.observability.change_redaction import shown_text
from app.core.ports.audit import AuditEntry

type Row = dict[str, Any]

_CHAIN: Final = select(col(AuditChain.chain), col(AuditChain.sequence), col(AuditChain.hash))
_FREE_CHAIN: Final = (
    _CHAIN.order_by((col(AuditChain.chain) + bindparam("start")) % CHAINS).limit(1).with_for_update(skip_locked=True)
)
_NEXT_CHAIN: Final = _CHAIN.where(col(AuditChain.chain) == bindparam("start")).with_for_update()


@dataclass(frozen=True, slots=True)
class AuditLog:
    """An audit trail in the database.

    Entries are written right before the commit of the change, in its transaction: each to a chain that no other
    transaction is writing to, so that transactions wait for each other only if more than `CHAINS` commit at once.
    """

    keys: SealingKeys
    lines: LogAudit = field(default_factory=LogAudit)
    """The log lines that every project has, written as well: a copy outside of the database."""

    async def record(self, session: AsyncSession, entry: AuditEntry) -> None:
        """See `Audit.record`.

        Raises:
            RuntimeError: the session only reads.
            ValueError: the action, the target's type or the target's id is too long.
        """
        if session.info.get(READ_ONLY):
            raise RuntimeError("This session only reads: use Database.transaction().")
        _check_length("action", entry.action, ACTION_LENGTH)
        _check_length("target_type", entry.target_type, TARGET_TYPE_LENGTH)
        _check_length("target_id", entry.target_id, TARGET_ID_LENGTH)
        write_before_commit(session, self._write, _values(entry, current_origin()))
        await self.lines.record(session, entry)

    async def _write(self, session: AsyncSession, entries: Sequence[Row]) -> None:
        chain, sequence, previous = await _lock_chain(session)
        key, rows = self.keys.current, []
        for number, entry in enumerate(entries, sequence + 1):
            place = {"id": uuid7(), "created_at": utc_now(), "chain": chain, "sequence": number, "key_id": key.id}
            row = entry | place
            row["hash"] = previous = link(previous, row)
            row["seal"] = key.seal(chain, number, previous)
            rows.append(row)
        await session.execute(insert(AuditRecord), rows)
        head = {"sequence": rows[-1]["sequence"], "hash": previous}
        await session.execute(
            update(AuditChain).where(col(AuditChain.chain) == chain).values(head),
            execution_options={"synchronize_session": False},
        )


async def _lock_chain(session: AsyncSession) -> tuple[int, int, str]:
    """Return a chain's number, last sequence and last hash. No other transaction adds to it until this one ends."""
    start = {"start": random.randrange(CHAINS)}  # noqa: S311 - spreads the load
    for statement in (_FREE_CHAIN, _NEXT_CHAIN):
        if row := (await session.execute(statement, start)).one_or_none():
            return row[0], row[1], row[2]
    for number in range(CHAINS):
        await insert_if_absent(session, AuditChain, AuditChain(chain=number).model_dump(), unique=["chain"])
    row = (await session.execute(_NEXT_CHAIN, start)).one()
    return row[0], row[1], row[2]


def _values(entry: AuditEntry, origin: Origin) -> Row:
    """Return the columns that are known before the entry's place in a chain is."""
    client = entry.client if entry.client is not None else origin.client
    user_agent = shown_text(origin.user_agent or "", USER_AGENT_LENGTH) or None
    salt = new_salt()
    return {
        "actor_id": entry.actor_id,
        "impersonated_id": entry.impersonated_id or origin.impersonated_id,
        "action": entry.action,
        "target_type": entry.target_type,
        "target_id": entry.target_id,
        "details": {name: shown_text(value) for name, value in entry.details.items()},
        "changes": shown_changes(entry),
        "request_id": origin.request_id and origin.request_id[:REQUEST_ID_LENGTH],
        "client": client,
        "user_agent": user_agent,
        "origin_salt": salt,
        "origin_digest": origin_digest(salt, client, user_agent),
    }


def _check_length(name: str, value: str, limit: int) -> None:
    if not value or len(value) > limit:
        raise ValueError(f"An audit entry's {name} needs 1 to {limit} characters.")
