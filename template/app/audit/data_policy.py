"""Retention of the audit log, personal data in it, and its metrics."""

from datetime import datetime
from itertools import takewhile
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.audit.models import AuditChain, AuditRecord
from app.audit.sealing import SealingKeys
from app.audit.settings import AuditSettings
from app.core.data_policy.daily_report import rows_since
from app.core.data_policy.figures import total_rows
from app.core.db.models import utc_now
from app.core.manifest import Figure, PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime


async def erase_origin(_runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Remove the client and the user agent of a user's entries. The ids remain, and so do the chains of hashes."""
    await session.execute(
        update(AuditRecord)
        .where(_of_user(user_id), col(AuditRecord.origin_salt).is_not(None))
        .values(client=None, user_agent=None, origin_salt=None)
        .execution_options(synchronize_session=False)
    )


def _of_user(user_id: UUID) -> ColumnElement[bool]:
    # Without an actor, the user is the one who tried: a refused token.
    own = and_(
        col(AuditRecord.actor_id).is_(None),
        col(AuditRecord.target_type) == "user",
        col(AuditRecord.target_id) == str(user_id),
    )
    return or_(col(AuditRecord.actor_id) == user_id, own)


async def trim_chains(runtime: Runtime, session: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired entries, each chain from its beginning, and note where it now begins."""
    expires = utc_now() - runtime.resource(AuditSettings).retention_period
    keys, deleted = runtime.resource(SealingKeys), 0
    for chain in (await session.scalars(select(AuditChain).order_by(col(AuditChain.chain)).with_for_update())).all():
        if keys.accept(chain.trimmed_seal, chain.trimmed):
            # With the current key, so that a previous one can be removed from the settings one day.
            chain.trimmed_seal = keys.current.seal(*chain.trimmed)
        if deleted < limit:
            deleted += await _trim(session, keys, chain, expires, limit - deleted)
    return deleted


async def _trim(session: AsyncSession, keys: SealingKeys, chain: AuditChain, expires: datetime, limit: int) -> int:
    statement = (
        select(col(AuditRecord.sequence), col(AuditRecord.hash), col(AuditRecord.created_at))
        .where(col(AuditRecord.chain) == chain.chain)
        .order_by(col(AuditRecord.sequence))
        .limit(limit)
    )
    oldest = (await session.execute(statement)).all()
    expired = list(takewhile(lambda row: row.created_at < expires, oldest))
    if expired:
        chain.trimmed_sequence, chain.trimmed_hash, _ = expired[-1]
        chain.trimmed_seal = keys.current.seal(*chain.trimmed)
        own = (col(AuditRecord.chain) == chain.chain, col(AuditRecord.sequence) <= chain.trimmed_sequence)
        await session.execute(delete(AuditRecord).where(*own).execution_options(synchronize_session=False))
    return len(expired)


PERSONAL_DATA: Final = (
    PersonalData(
        model=AuditRecord,
        belongs=lambda user_id: col(AuditRecord.actor_id) == user_id,
        withheld=frozenset({"origin_salt", "origin_digest", "key_id", "hash", "seal"}),
        erase=erase_origin,
    ),
)

RETENTION: Final = (
    RetentionRule(
        model=AuditRecord,
        expired=lambda runtime, now: (
            col(AuditRecord.created_at) < now - runtime.resource(AuditSettings).retention_period
        ),
        delete=trim_chains,
    ),
)

REPORT_METRICS: Final = (ReportMetric(name="audit_entries", count=rows_since(col(AuditRecord.created_at))),)

FIGURES: Final = (Figure(name="audit_entries", query=total_rows(AuditRecord)),)
