"""The table of files. Each change of a file's status is one conditional statement, so that only one caller succeeds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, case, delete, exists, func, or_, select, update
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.db.repository import Repository
from app.storage.models import File, FileStatus
from app.users.models import User

RETRY_INTERVAL: Final = timedelta(minutes=5)
"""Delay after which a sweep retries a deletion whose job has not finished."""

_NO_SYNC: Final = {"synchronize_session": False}


class Usage(NamedTuple):
    """The storage that a user's files take up.

    Attributes:
        size: bytes of stored files and of pending uploads.
        pending: number of uploads whose link or confirmation is still open.
        next_expiry: when the first of them expires.
    """

    size: int
    pending: int
    next_expiry: datetime | None


class FileRepository(Repository[File]):
    """Files by owner. Files of other users, pending uploads and deleted files are invisible to `page`."""

    model = File
    owner: ClassVar = col(File.owner_id)
    searchable: ClassVar = (col(File.name),)

    async def one(self, owner_id: UUID, id_: UUID, *statuses: FileStatus) -> File | None:
        """Return the owner's file if it has one of the statuses."""
        statement = select(File).where(
            col(File.id) == id_, col(File.owner_id) == owner_id, col(File.status).in_(statuses)
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def by_id(self, id_: UUID, status: FileStatus) -> File | None:
        """Return the file if it has the status."""
        statement = select(File).where(col(File.id) == id_, col(File.status) == status)
        return (await self.session.scalars(statement)).one_or_none()

    async def status_of(self, key: str) -> str | None:
        """Return the status of the file with this key."""
        return cast("str | None", await self.session.scalar(select(col(File.status)).where(col(File.key) == key)))

    async def lock_owner(self, owner_id: UUID) -> None:
        """Wait until no other transaction holds this lock; it is released with the transaction."""
        await self.session.execute(select(col(User.id)).where(col(User.id) == owner_id).with_for_update(key_share=True))

    async def usage(self, owner_id: UUID) -> Usage:
        """Return the storage that the owner's files take up."""
        # A deleted file counts until its upload link has expired, since the link could still store an object.
        pending = (col(File.status) != FileStatus.STORED) & (col(File.due_at) > utc_now())
        statement = select(
            func.coalesce(func.sum(col(File.size)), 0),
            func.count(case((pending, 1))),
            func.min(case((pending, col(File.due_at)))),
        ).where(col(File.owner_id) == owner_id)
        size, count, next_expiry = (await self.session.execute(statement)).one()
        return Usage(int(size), count, next_expiry)

    async def mark_stored(self, id_: UUID, content_type: str) -> bool:
        """Mark a pending upload as stored, and return whether it was pending."""
        values = {"status": FileStatus.STORED, "content_type": content_type, "due_at": None}
        return await self._set(col(File.id) == id_, col(File.status) == FileStatus.PENDING, **values)

    async def mark_kept(self, id_: UUID, *, size: int, until: datetime) -> bool:
        """Mark a pending file as stored until it expires, and return whether it was pending."""
        values = {"status": FileStatus.STORED, "size": size, "due_at": until}
        return await self._set(col(File.id) == id_, col(File.status) == FileStatus.PENDING, **values)

    async def mark_deleting(self, id_: UUID, *where: ColumnElement[bool]) -> bool:
        """Mark a file as being deleted if it matches the conditions, and return whether it did."""
        values = {"status": FileStatus.DELETING, "due_at": utc_now() + RETRY_INTERVAL}
        return await self._set(col(File.id) == id_, *where, **values)

    async def mark_all_deleting(self, owner_id: UUID) -> bool:
        """Mark the owner's files as being deleted, without owner and name, and return whether there were any."""
        values = {"status": FileStatus.DELETING, "due_at": utc_now(), "owner_id": None, "name": ""}
        return await self._change(col(File.owner_id) == owner_id, **values) > 0

    async def delete_again_at(self, id_: UUID, due_at: datetime) -> None:
        """Have a sweep delete the object again later: its upload link is still valid."""
        where = (col(File.id) == id_, col(File.status) == FileStatus.DELETING)
        await self._change(*where, due_at=due_at, name="")

    async def remove(self, id_: UUID) -> None:
        """Delete the row of a file whose object has been deleted."""
        statement = delete(File).where(col(File.id) == id_, col(File.status) == FileStatus.DELETING)
        await self.session.execute(statement, execution_options=_NO_SYNC)

    async def any_due(self) -> bool:
        """Return whether a sweep has work to do."""
        return bool(await self.session.scalar(select(exists().where(_due()))))

    async def due(self, limit: int) -> Sequence[UUID]:
        """Return the ids of files that a sweep must delete."""
        return (await self.session.scalars(select(col(File.id)).where(_due()).limit(limit))).all()

    async def claim_due(self, id_: UUID) -> bool:
        """Mark a file as being deleted by this caller, and return whether it was still due."""
        return await self.mark_deleting(id_, _due())

    async def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Return the keys that belong to a file."""
        return set((await self.session.scalars(select(col(File.key)).where(col(File.key).in_(keys)))).all())

    async def stored_after(self, last: UUID | None, limit: int) -> Sequence[File]:
        """Return all users' stored files, oldest first, after the file `last`."""
        later = [] if last is None else [col(File.id) > last]
        statement = select(File).where(col(File.status) == FileStatus.STORED, *later).order_by(col(File.id))
        return (await self.session.scalars(statement.limit(limit))).all()

    async def _set(self, *where: ColumnElement[bool], **values: object) -> bool:
        return await self._change(*where, **values) == 1

    async def _change(self, *where: ColumnElement[bool], **values: object) -> int:
        statement = update(File).where(*where).values(**values, updated_at=utc_now())
        result = await self.session.execute(statement, execution_options=_NO_SYNC)
        return cast("CursorResult[object]", result).rowcount


def _due() -> ColumnElement[bool]:
    return or_(col(File.due_at) <= utc_now(), col(File.owner_id).is_(None))
