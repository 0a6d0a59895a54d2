"""Retention of the audit log, personal data in it, and its metrics."""

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import takewhile
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, delete, inspect, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.audit.models import AuditChain, AuditRecord
from app.audit.sealing import SealingKeys, is_linked
from app.audit.settings import AuditSettings
from app.core.data_policy.daily_report import rows_since
from app.core.data_policy.figures import total_rows
from app.core.db.models import utc_now
from app.core.manifest import Figure, PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)


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
    """Delete up to `limit` expired entries, each chain from its beginning, and note where it now begins.

    The ends of all chains are logged, so that a copy of the log has a checkpoint of each day.
    """
    expires = utc_now() - runtime.resource(AuditSettings).retention_period
    keys, deleted = runtime.resource(SealingKeys), 0
    chains = (await session.scalars(select(AuditChain).order_by(col(AuditChain.chain)).with_for_update())).all()
    ends = {str(chain.chain): (chain.sequence, chain.hash) for chain in chains}
    logger.info("audit_checkpoint", checkpoint=json.dumps(ends))
    for chain in chains:
        if chain.trimmed_sequence and not keys.accept(chain.trimmed_seal, chain.trimmed):
            _report_broken(chain, chain.trimmed_sequence)
            continue
        if chain.trimmed_sequence:
            # With the current key, so that a previous one can be removed from the settings one day.
            chain.trimmed_seal = keys.current.seal(*chain.trimmed)
        if deleted < limit:
            deleted += await _trim(session, keys, chain, expires, limit - deleted)
    return deleted


async def _trim(session: AsyncSession, keys: SealingKeys, chain: AuditChain, expires: datetime, limit: int) -> int:
    """Delete expired entries up to the first that was manipulated: a new seal would hide the manipulation."""
    columns: Iterable[Any] = inspect(AuditRecord).columns
    of_chain = col(AuditRecord.chain) == chain.chain
    statement = select(*columns).where(of_chain).order_by(col(AuditRecord.sequence)).limit(limit)
    deleted = 0
    for row in takewhile(lambda row: row.created_at < expires, (await session.execute(statement)).all()):
        is_next = row.sequence == chain.trimmed_sequence + 1 and is_linked(chain.trimmed_hash, row)
        if not is_next or not keys.accept_entry(row):
            _report_broken(chain, row.sequence)
            break
        chain.trimmed_sequence, chain.trimmed_hash = row.sequence, row.hash
        deleted += 1
    if deleted:
        chain.trimmed_seal = keys.current.seal(*chain.trimmed)
        expired = (of_chain, col(AuditRecord.sequence) <= chain.trimmed_sequence)
        await session.execute(delete(AuditRecord).where(*expired).execution_options(synchronize_session=False))
    return deleted


def _report_broken(chain: AuditChain, sequence: int) -> None:
    logger.error("audit_chain_broken", chain=chain.chain, sequence=sequence, hint="Run `app audit verify`.")


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
