"""Files that the application itself puts among a user's own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.storage.files import UPLOAD_LIFETIME
from app.storage.keys import new_key
from app.storage.models import FileStatus
from app.storage.repository import FileRepository
from app.storage.service import StorageService


@dataclass(frozen=True, slots=True)
class StoredUserFiles:
    """See `core.user_files.UserFiles`."""

    runtime: Runtime
    storage: StorageService

    async def keep(
        self, user_id: UUID, name: str, content: AsyncIterator[bytes], *, content_type: str, lifetime: timedelta
    ) -> UUID | None:
        """Stores the content, and puts it among the user's files once all of it is there.

        Raises:
            StorageUnavailableError: the store does not answer; what has been sent is swept away.
            NotFoundError: the user has gone meanwhile.
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
            # The row is there before the object: no object is without one.
            file = await FileRepository(session).create_with_owner(values, user_id)
        counter = _Counter()
        await self.storage.upload(key, counter.count(content), content_type=content_type)
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
        request = await self.storage.get_presigned_download_url(
            file.key, filename=file.name, content_type=file.content_type, expires_in=lifetime
        )
        # A path leads somewhere only for who knows this application's address.
        return None if request.url.startswith("/") else request.url


class _Counter:
    def __init__(self) -> None:
        self.total = 0

    async def count(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in content:
            self.total += len(piece)
            yield piece
