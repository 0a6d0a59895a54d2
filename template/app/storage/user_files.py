"""The storage implementation of the `UserFiles` port: files that the application adds to a user's own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.storage.keys import new_key
from app.storage.models import FileStatus
from app.storage.object_store import ObjectStore
from app.storage.repository import FileRepository
from app.storage.service import UPLOAD_LIFETIME


@dataclass(frozen=True, slots=True)
class StoredUserFiles:
    """See `core.user_files.UserFiles`."""

    runtime: Runtime
    store: ObjectStore

    async def keep(
        self, user_id: UUID, name: str, content: AsyncIterator[bytes], *, content_type: str, lifetime: timedelta
    ) -> UUID | None:
        """Store the content, and list it among the user's files once it is complete.

        Raises:
            StorageUnavailableError: the store failed; a sweep removes what has been sent.
            NotFoundError: the user has been deleted meanwhile.
        """
        key = new_key(user_id)
        values = {
            "key": key,
            "name": name,
            "content_type": content_type,
            "size": 0,
            "due_at": utc_now() + UPLOAD_LIFETIME,
        }
        async with self.runtime.database.transaction() as session:
            # The row comes first, so that every object has one.
            file = await FileRepository(session).create_with_owner(values, user_id)
        counter = _ByteCounter()
        await self.store.upload(key, counter.count(content), content_type=content_type)
        async with self.runtime.database.transaction() as session:
            kept = await FileRepository(session).mark_kept(file.id, size=counter.total, until=utc_now() + lifetime)
        if not kept:
            raise NotFoundError("File", file.id)
        return file.id

    async def link(self, user_id: UUID, file_id: UUID, *, lifetime: timedelta) -> str | None:
        """See `UserFiles.link`."""
        async with self.runtime.database.reading() as session:
            file = await FileRepository(session).one(user_id, file_id, FileStatus.STORED)
        if file is None:
            return None
        request = await self.store.get_presigned_download_url(
            file.key, filename=file.name, content_type=file.content_type, expires_in=lifetime
        )
        return request.url


class _ByteCounter:
    def __init__(self) -> None:
        self.total = 0

    async def count(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in content:
            self.total += len(chunk)
            yield chunk
