"""The files' table. Every change of a file's state is one conditional statement: two who try do not both succeed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, delete, exists, or_, select, update
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.db.repository import Repository
from app.storage.models import File, FileStatus

RETRY_AFTER: Final = timedelta(minutes=5)
"""When a sweep takes over a deletion whose job has not done it."""

_NO_SYNC: Final = {"synchronize_session": False}


class FileRepository(Repository[File]):
    """Files. Those of others are invisible, as are those that are not uploaded yet or on their way out."""

    model = File
    owner: ClassVar = col(File.owner_id)
    searchable: ClassVar = (col(File.name),)

    async def one(self, owner_id: UUID, id_: UUID, *statuses: FileStatus) -> File | None:
        """The owner's file, if it is in one of the states."""
        statement = select(File).where(
            col(File.id) == id_, col(File.owner_id) == owner_id, col(File.status).in_(statuses)
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def mark_stored(self, id_: UUID, content_type: str) -> bool:
        """Whether the file was pending; it is now stored."""
        values = {"status": FileStatus.STORED, "content_type": content_type, "due_at": None}
        return await self._set(col(File.id) == id_, col(File.status) == FileStatus.PENDING, **values)

    async def mark_kept(self, id_: UUID, *, size: int, until: datetime) -> bool:
        """Whether the file was pending; it is now stored, and a sweep's when its time has come."""
        values = {"status": FileStatus.STORED, "size": size, "due_at": until}
        return await self._set(col(File.id) == id_, col(File.status) == FileStatus.PENDING, **values)

    async def mark_deleting(self, id_: UUID, *where: ColumnElement[bool]) -> bool:
        """Whether the file is there and fits the conditions; it is now nobody's, and due if its job does not come."""
        values = {"status": FileStatus.DELETING, "due_at": utc_now() + RETRY_AFTER}
        return await self._set(col(File.id) == id_, *where, **values)

    async def mark_all_deleting(self, owner_id: UUID) -> bool:
        """Whether the owner has files; they are now nobody's, without a name, and due."""
        values = {"status": FileStatus.DELETING, "due_at": utc_now(), "owner_id": None, "name": ""}
        return await self._change(col(File.owner_id) == owner_id, **values) > 0

    async def deleting_key(self, id_: UUID) -> str | None:
        """The key of a file that is to be deleted."""
        statement = select(col(File.key)).where(col(File.id) == id_, col(File.status) == FileStatus.DELETING)
        return (await self.session.scalars(statement)).one_or_none()

    async def forget(self, id_: UUID) -> None:
        """Removes the row of a file whose object is gone."""
        statement = delete(File).where(col(File.id) == id_, col(File.status) == FileStatus.DELETING)
        await self.session.execute(statement, execution_options=_NO_SYNC)

    async def any_due(self) -> bool:
        """Whether there is work for a sweep."""
        return bool(await self.session.scalar(select(exists().where(_due()))))

    async def due(self, limit: int) -> Sequence[UUID]:
        """Files that a sweep has to see to."""
        return (await self.session.scalars(select(col(File.id)).where(_due()).limit(limit))).all()

    async def claim_due(self, id_: UUID) -> bool:
        """Whether the file is still due; it is then to be deleted, and this caller's for a while."""
        return await self.mark_deleting(id_, _due())

    async def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that belong to a file."""
        return set((await self.session.scalars(select(col(File.key)).where(col(File.key).in_(keys)))).all())

    async def stored_after(self, last: UUID | None, limit: int) -> Sequence[File]:
        """Everybody's stored files, the oldest first, beginning after the last one of those before."""
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
