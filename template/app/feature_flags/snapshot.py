"""The state of all flags that a process keeps in memory, and the statements that load it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlmodel import col

from app.core.db.database import Database
from app.feature_flags.models import FeatureFlag, FeatureFlagRevision, FeatureFlagUser
from app.feature_flags.rules import FlagRule

logger = structlog.stdlib.get_logger(__name__)

MAX_FLAGS: Final = 500
MAX_LISTED_IN_MEMORY: Final = 20_000
"""Entries of all lists together that a process keeps in memory. If there are more, it looks up users one by one."""

_COLUMNS: Final = ("id", "key", "enabled", "rules", "starts_at", "ends_at")
_RULES: Final = TypeAdapter(tuple[FlagRule, ...])


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """A flag as it is evaluated."""

    id: UUID
    key: str
    enabled: bool
    rules: tuple[FlagRule, ...]
    starts_at: datetime | None
    ends_at: datetime | None

    @property
    def has_list(self) -> bool:
        """Whether a rule refers to the flag's list of users."""
        return any(rule.listed for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All flags at one moment.

    Attributes:
        revision: the number of changes until then.
        flags: by their keys.
        lists: for each listed user, the ids of the flags. `None` if there are too many to keep in memory.
    """

    revision: int
    flags: Mapping[str, Flag] = field(default_factory=dict)
    lists: Mapping[UUID, frozenset[UUID]] | None = field(default_factory=dict)


EMPTY: Final = Snapshot(0)


async def read_revision(database: Database) -> int:
    """Return the number of changes to flags."""
    rows = await database.fetch(select(col(FeatureFlagRevision.revision)), {})
    return rows[0][0] if rows else 0


async def load_snapshot(database: Database) -> Snapshot:
    """Load all flags, and the lists of users if they are not too long."""
    # First the revision: a change that is committed while this function reads then counts as not loaded.
    revision = await read_revision(database)
    rows = await database.fetch(select(*(getattr(FeatureFlag, name) for name in _COLUMNS)).limit(MAX_FLAGS), {})
    flags = [_flag(dict(zip(_COLUMNS, row, strict=True))) for row in rows]
    listed = [flag.id for flag in flags if flag.enabled and flag.has_list]
    lists = await _load_lists(database, listed) if listed else {}
    return Snapshot(revision, {flag.key: flag for flag in flags}, lists)


async def load_lists_of(database: Database, user_id: UUID) -> frozenset[UUID]:
    """Return the ids of the flags whose lists contain the user."""
    statement = select(col(FeatureFlagUser.flag_id)).where(col(FeatureFlagUser.user_id) == user_id).limit(MAX_FLAGS)
    return frozenset(row[0] for row in await database.fetch(statement, {}))


async def _load_lists(database: Database, flag_ids: Sequence[UUID]) -> Mapping[UUID, frozenset[UUID]] | None:
    columns = col(FeatureFlagUser.user_id), col(FeatureFlagUser.flag_id)
    chosen = select(*columns).where(col(FeatureFlagUser.flag_id).in_(flag_ids))
    rows = await database.fetch(chosen.limit(MAX_LISTED_IN_MEMORY + 1), {})
    if len(rows) > MAX_LISTED_IN_MEMORY:
        return None
    lists: dict[UUID, frozenset[UUID]] = {}
    shared: dict[frozenset[UUID], frozenset[UUID]] = {}
    for user_id, flag_id in rows:
        ids = lists.get(user_id, frozenset()) | {flag_id}
        # Most users are in the same lists: they share one set.
        lists[user_id] = shared.setdefault(ids, ids)
    return lists


def _flag(values: dict[str, Any]) -> Flag:
    try:
        rules = _RULES.validate_python(values["rules"])
    except ValidationError:
        # They were written by a newer release, or by hand. The flag is off for everyone.
        logger.error("feature_flag_unreadable", key=values["key"], hint="Correct its rules.")  # noqa: TRY400
        rules = ()
    return Flag(**{**values, "rules": rules})
