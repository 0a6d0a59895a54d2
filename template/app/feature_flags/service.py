"""The changes to flags, their rules, and their audit trail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.context import Actor
from app.core.db.database import after_commit
from app.core.ports.audit import Audit, AuditEntry, Change
from app.feature_flags.errors import FlagListFullError, FlagTimesError, TooManyFlagsError
from app.feature_flags.models import FeatureFlag
from app.feature_flags.repository import FlagRepository
from app.feature_flags.schemas import FlagCreate, FlagRead, FlagUpdate
from app.feature_flags.snapshot import MAX_FLAGS
from app.feature_flags.store import FlagStore

MAX_LISTED_USERS: Final = 100_000
"""The maximum length of a flag's list."""
AUDITED: Final = ("enabled", "rules", "starts_at", "ends_at")
"""The columns that an entry about a new or deleted flag shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlagAdministration:
    """The administration of flags. Each change is recorded in the audit trail.

    Changes run one after another, so that limits hold even for parallel requests.

    Attributes:
        actor: the administrator who makes the changes.
    """

    session: AsyncSession
    audit: Audit
    store: FlagStore
    actor: Actor

    async def create(self, data: FlagCreate) -> FlagRead:
        """Create a flag.

        Raises:
            ConflictError: another flag has the key.
            FlagTimesError: it ends before it starts.
            TooManyFlagsError: there are too many flags.
        """
        flags = await self._begin()
        if await flags.count() >= MAX_FLAGS:
            raise TooManyFlagsError
        flag = await flags.create(_storable(data, FlagCreate.model_fields))
        _check_times(flag)
        await self._record("created", flag, {name: Change(None, getattr(flag, name)) for name in AUDITED})
        return FlagRead.model_validate(flag)

    async def change(self, flag_id: UUID, data: FlagUpdate) -> FlagRead:
        """Change the fields that were sent.

        Raises:
            NotFoundError: the flag does not exist.
            FlagTimesError: it would end before it starts.
        """
        flags = await self._begin()
        flag = await flags.require(flag_id)
        return await self._write(flags, flag, _storable(data, data.model_fields_set), "updated")

    async def switch(self, flag_id: UUID, *, enabled: bool) -> FlagRead:
        """Enable or disable a flag.

        Raises:
            NotFoundError: the flag does not exist.
        """
        flags = await self._begin()
        flag = await flags.require(flag_id)
        return await self._write(flags, flag, {"enabled": enabled}, "enabled" if enabled else "disabled")

    async def delete(self, flag_id: UUID) -> None:
        """Delete a flag and its list.

        Raises:
            NotFoundError: the flag does not exist.
        """
        flags = await self._begin()
        flag = await flags.require(flag_id)
        await self._record("deleted", flag, {name: Change(getattr(flag, name), None) for name in AUDITED})
        await flags.delete(flag)

    async def add_users(self, flag_id: UUID, user_ids: Sequence[UUID]) -> FlagRead:
        """Add users to a flag's list. Those who are in it already stay.

        Raises:
            NotFoundError: the flag or a user does not exist.
            FlagListFullError: the list would be too long.
        """
        flags = await self._begin()
        flag = await flags.require(flag_id)
        added = await flags.add_users(flag, user_ids)
        if flag.user_count > MAX_LISTED_USERS:
            raise FlagListFullError(MAX_LISTED_USERS)
        if added:
            await self._record("users_added", flag, details=_describe_users(user_ids, added))
        return FlagRead.model_validate(flag)

    async def remove_users(self, flag_id: UUID, user_ids: Sequence[UUID]) -> FlagRead:
        """Remove users from a flag's list. Those who are not in it are ignored.

        Raises:
            NotFoundError: the flag does not exist.
        """
        flags = await self._begin()
        flag = await flags.require(flag_id)
        removed = await flags.remove_users(flag, user_ids)
        if removed:
            await self._record("users_removed", flag, details=_describe_users(user_ids, removed))
        return FlagRead.model_validate(flag)

    async def _begin(self) -> FlagRepository:
        # The first statement: it makes other changes wait.
        flags = FlagRepository(self.session)
        await flags.next_revision()
        after_commit(self.session, self.store.changed)
        return flags

    async def _write(
        self, flags: FlagRepository, flag: FeatureFlag, values: Mapping[str, Any], action: str
    ) -> FlagRead:
        changes = {name: value for name, value in values.items() if getattr(flag, name) != value}
        if changes:
            audited = {name: Change(getattr(flag, name), value) for name, value in changes.items()}
            await self._record(action, flag, audited)
            await flags.update(flag, changes)
            _check_times(flag)
        return FlagRead.model_validate(flag)

    async def _record(
        self,
        action: str,
        flag: FeatureFlag,
        changes: Mapping[str, Change] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        entry = AuditEntry(
            actor_id=self.actor.id,
            action=f"feature_flag.{action}",
            target_type="feature_flag",
            target_id=str(flag.id),
            client=self.actor.client,
            details={"key": flag.key, **(details or {})},
            changes=changes or {},
        )
        await self.audit.record(self.session, entry)


def _storable(data: FlagCreate | FlagUpdate, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(data, name) for name in names}
    if "rules" in values:
        values["rules"] = [rule.model_dump(mode="json", exclude_defaults=True) for rule in data.rules]
    return values


def _check_times(flag: FeatureFlag) -> None:
    if flag.starts_at is not None and flag.ends_at is not None and flag.ends_at <= flag.starts_at:
        raise FlagTimesError


def _describe_users(user_ids: Sequence[UUID], changed: int) -> dict[str, str]:
    return {"user_id": str(user_ids[0])} if len(user_ids) == 1 else {"users": str(changed)}
