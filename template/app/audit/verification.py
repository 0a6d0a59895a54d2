"""Verification of the audit log: find entries that were changed, deleted, moved or invented."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, func, inspect, or_, select
from sqlmodel import col

from app.audit.models import AuditChain, AuditRecord
from app.audit.sealing import SealingKeys, is_linked, origin_digest
from app.core.db.database import Database

BATCH: Final = 1000
MAX_PROBLEMS: Final = 20
"""Maximum number of problems that are reported for one chain."""

# In one statement, so that entries which are being written are not reported.
_STRAYS: Final = (
    select(col(AuditRecord.chain), func.min(col(AuditRecord.sequence)))
    .join(AuditChain, col(AuditChain.chain) == col(AuditRecord.chain), isouter=True)
    .where(
        or_(
            col(AuditChain.chain).is_(None),
            col(AuditRecord.sequence) > col(AuditChain.sequence),
            col(AuditRecord.sequence) <= col(AuditChain.trimmed_sequence),
        )
    )
    .group_by(col(AuditRecord.chain))
    .order_by(col(AuditRecord.chain))
)

type Checkpoint = dict[str, tuple[int, str]]
"""The sequence and the hash of the last entry of each chain."""


@dataclass(kw_only=True, slots=True)
class ChainReport:
    """The result for one chain.

    Attributes:
        checked: number of entries.
        problems: what is wrong, each with the sequence at which it was found.
        unknown_keys: number of entries whose seal was made with a key that is no longer configured.
    """

    chain: int
    checked: int = 0
    problems: list[str] = field(default_factory=list)
    unknown_keys: int = 0

    def add(self, problem: str) -> None:
        """Add a problem, up to the maximum."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"chain {self.chain}: {problem}")


async def verify(database: Database, keys: SealingKeys, checkpoint: Checkpoint | None = None) -> list[ChainReport]:
    """Verify every chain up to the entry that is its last one now.

    Args:
        database: of the log.
        keys: of the seals.
        checkpoint: an earlier state, which must still be part of the log. Without one, entries that were removed from
            the end of a chain, together with an older head, remain undetected.
    """
    reports = []
    for chain in await _chains(database):
        report = await _verify_chain(database, keys, chain, (checkpoint or {}).get(str(chain.chain)))
        if report.problems:
            # Retention may have deleted entries meanwhile.
            (now,) = [each for each in await _chains(database) if each.chain == chain.chain]
            if now.trimmed_sequence != chain.trimmed_sequence:
                report = await _verify_chain(database, keys, now, (checkpoint or {}).get(str(chain.chain)))
        reports.append(report)
    await _check_strays(database, reports)
    expected = set(checkpoint or {}) - {str(report.chain) for report in reports}
    reports += [ChainReport(chain=int(chain), problems=[f"chain {chain}: it is missing"]) for chain in sorted(expected)]
    return reports


async def _check_strays(database: Database, reports: list[ChainReport]) -> None:
    """Report entries before the beginning or behind the end of their chain, and of chains that do not exist."""
    by_chain = {report.chain: report for report in reports}
    for chain, sequence in await database.fetch(_STRAYS, {}):
        if chain not in by_chain:
            by_chain[chain] = ChainReport(chain=chain)
            reports.append(by_chain[chain])
        by_chain[chain].add(f"entry {sequence} is not part of it; there may be more of them")


async def take_checkpoint(database: Database) -> Checkpoint:
    """Return the present ends of all chains, to be kept outside of the database."""
    return {str(chain.chain): (chain.sequence, chain.hash) for chain in await _chains(database)}


async def _chains(database: Database) -> Sequence[AuditChain]:
    async with database.reading() as session:
        return (await session.scalars(select(AuditChain).order_by(col(AuditChain.chain)))).all()


async def _verify_chain(
    database: Database, keys: SealingKeys, chain: AuditChain, known: tuple[int, str] | None
) -> ChainReport:
    report = ChainReport(chain=chain.chain)
    _check_ends(report, keys, chain)
    sequence, previous = chain.trimmed_sequence, chain.trimmed_hash
    if known is not None and sequence < known[0] > chain.sequence:
        report.add(f"it ends at {chain.sequence}, but the checkpoint knows entry {known[0]}")
    async for row in _rows(database, chain):
        report.checked += 1
        if row.sequence != sequence + 1:
            report.add(f"entries {sequence + 1} to {row.sequence - 1} are missing")
        elif not is_linked(previous, row):
            report.add(f"entry {row.sequence} or its predecessor was changed")
        _check_seal(report, keys, row)
        _check_origin(report, row)
        if known is not None and row.sequence == known[0] and row.hash != known[1]:
            report.add(f"entry {row.sequence} differs from the checkpoint")
        sequence, previous = row.sequence, row.hash
    if (sequence, previous) != (chain.sequence, chain.hash):
        report.add(f"it ends at entry {sequence} instead of {chain.sequence}")
    return report


def _check_ends(report: ChainReport, keys: SealingKeys, chain: AuditChain) -> None:
    if chain.sequence < chain.trimmed_sequence:
        report.add("its end precedes its beginning")
    if chain.trimmed_sequence and not keys.accept(chain.trimmed_seal, chain.trimmed):
        report.add(f"the application did not delete the entries up to {chain.trimmed_sequence}")


def _check_seal(report: ChainReport, keys: SealingKeys, row: Row[*tuple[Any, ...]]) -> None:
    if keys.by_id(row.key_id) is None:
        report.unknown_keys += 1
    elif not keys.accept_entry(row):
        report.add(f"the application did not write entry {row.sequence}")


def _check_origin(report: ChainReport, row: Row[*tuple[Any, ...]]) -> None:
    if row.origin_salt is None:
        if row.client is not None or row.user_agent is not None:
            report.add(f"the client of entry {row.sequence} was changed")
    elif origin_digest(row.origin_salt, row.client, row.user_agent) != row.origin_digest:
        report.add(f"the client of entry {row.sequence} was changed")


async def _rows(database: Database, chain: AuditChain) -> AsyncIterator[Row[*tuple[Any, ...]]]:
    """Yield the entries in order. Holds no connection between two batches."""
    columns: Iterable[Any] = inspect(AuditRecord).columns
    after = chain.trimmed_sequence
    while True:
        statement = (
            select(*columns)
            .where(col(AuditRecord.chain) == chain.chain, col(AuditRecord.sequence) > after)
            .where(col(AuditRecord.sequence) <= chain.sequence)
            .order_by(col(AuditRecord.sequence))
            .limit(BATCH)
        )
        rows = await database.fetch(statement, {})
        for row in rows:
            yield row
        if len(rows) < BATCH:
            return
        after = rows[-1].sequence
