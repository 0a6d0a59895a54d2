"""Queries on flags and their lists of users."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import insert_on
from app.core.db.list_options import Filter, Join
from app.core.db.models import utc_now
from app.core.db.repository import Repository
from app.core.errors import NotFoundError
from app.feature_flags.models import REVISION_ID, FeatureFlag, FeatureFlagRevision, FeatureFlagUser
from app.users.models import User


class FlagRepository(Repository[FeatureFlag]):
    """Flags."""

    model = FeatureFlag
    searchable: ClassVar = (col(FeatureFlag.key), col(FeatureFlag.description))
    filters: ClassVar = {"enabled": Filter(col(FeatureFlag.enabled))}
    sortable: ClassVar = {"key": col(FeatureFlag.key), "updated_at": col(FeatureFlag.updated_at)}

    async def require_key(self, key: str) -> FeatureFlag:
        """Return the flag with this key.

        Raises:
            NotFoundError: no flag has it.
        """
        flag = await self.get_by_field(col(FeatureFlag.key), key)
        if flag is None:
            raise NotFoundError("FeatureFlag", key)
        return flag

    async def next_revision(self) -> None:
        """Count a change. Other changes wait until this transaction ends."""
        insert = insert_on(self.session)(FeatureFlagRevision).values(id=REVISION_ID, revision=1)
        counted = insert.on_conflict_do_update(
            index_elements=["id"], set_={"revision": col(FeatureFlagRevision.revision) + 1}
        )
        await self.session.execute(counted)

    async def add_users(self, flag: FeatureFlag, user_ids: Sequence[UUID]) -> int:
        """Add users to a flag's list. Return how many were not in it.

        Raises:
            NotFoundError: one of the users does not exist. None was added.
        """
        # Locked, so that none of them is erased before this transaction ends.
        chosen = select(col(User.id)).where(col(User.id).in_(user_ids)).order_by(col(User.id))
        existing = set(await self.session.scalars(chosen.with_for_update(read=True, key_share=True)))
        for missing in (user_id for user_id in user_ids if user_id not in existing):
            raise NotFoundError("User", missing)
        now = utc_now()
        rows = [
            {"id": uuid7(), "created_at": now, "updated_at": now, "flag_id": flag.id, "user_id": user_id}
            for user_id in user_ids
        ]
        insert = insert_on(self.session)(FeatureFlagUser).values(rows)
        added = insert.on_conflict_do_nothing(index_elements=["user_id", "flag_id"]).returning(col(FeatureFlagUser.id))
        return await self._count(flag, len((await self.session.execute(added)).all()))

    async def remove_users(self, flag: FeatureFlag, user_ids: Sequence[UUID]) -> int:
        """Remove users from a flag's list. Return how many were in it."""
        chosen = col(FeatureFlagUser.flag_id) == flag.id, col(FeatureFlagUser.user_id).in_(user_ids)
        removed = delete(FeatureFlagUser).where(*chosen).returning(col(FeatureFlagUser.id))
        return -await self._count(flag, -len((await self.session.execute(removed)).all()))

    async def remove_user_from_all(self, user_id: UUID) -> None:
        """Remove a user from the lists of all flags."""
        removed = delete(FeatureFlagUser).where(col(FeatureFlagUser.user_id) == user_id)
        ids = (await self.session.scalars(removed.returning(col(FeatureFlagUser.flag_id)))).all()
        flags = update(FeatureFlag).where(col(FeatureFlag.id).in_(ids))
        await self.session.execute(flags.values(user_count=col(FeatureFlag.user_count) - 1))

    async def _count(self, flag: FeatureFlag, difference: int) -> int:
        if difference:
            await self.update(flag, {"user_count": flag.user_count + difference})
        return difference


class FlagUserRepository(Repository[FeatureFlagUser]):
    """Users in the lists of flags."""

    model = FeatureFlagUser
    joins: ClassVar = (
        Join(model=User, on=col(User.id) == col(FeatureFlagUser.user_id), columns={"email": col(User.email)}),
    )
