"""Users' files: from the link for an upload to the end of object and row.

No database connection is held while the store is asked: each method reads, lets go, asks, and writes.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlmodel import col

from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.storage.errors import FileTooLargeError, UploadMismatchError, UploadMissingError
from app.storage.file_types import SNIFF_LENGTH, real_type
from app.storage.jobs import delete_file, sweep_files
from app.storage.keys import new_key
from app.storage.models import File, FileStatus
from app.storage.port import ObjectMissingError, PresignedRequest
from app.storage.repository import FileRepository
from app.storage.schemas import UploadRequest
from app.storage.service import StorageService

UPLOAD_LIFETIME: Final = timedelta(hours=1)
"""How long an upload may stay unconfirmed: longer than its link lives, since a slow one may have begun at the last."""


@dataclass(frozen=True, slots=True)
class Files:
    """What one user does with their files."""

    runtime: Runtime
    storage: StorageService
    owner_id: UUID

    async def start_upload(self, data: UploadRequest) -> tuple[UUID, PresignedRequest]:
        """Makes room for a file; its id, and the request that uploads it.

        Raises:
            FileTooLargeError: it is larger than MAX_UPLOAD_SIZE.
        """
        if data.size > self.storage.max_upload_size:
            raise FileTooLargeError(self.storage.max_upload_size)
        key = new_key(self.owner_id)
        link = await self.storage.get_presigned_upload_url(key, content_type=data.content_type, size=data.size)
        values = data.model_dump() | {"key": key, "due_at": utc_now() + UPLOAD_LIFETIME}
        async with self.runtime.database.transaction() as session:
            files = FileRepository(session)
            file = await files.create_with_owner(values, self.owner_id)
            if await files.any_due():
                # Where nothing runs by the clock, whoever uploads clears up after those who did not.
                await self.runtime.queue.enqueue(session, sweep_files, job_id="storage:sweep")
        return file.id, link

    async def confirm(self, id_: UUID) -> File:
        """Checks what was uploaded: that it is there, its real size and its real type. May be repeated.

        Raises:
            NotFoundError: there is no such upload, or it has expired.
            UploadMissingError: nothing was uploaded yet.
            UploadMismatchError: it is not what was announced, and is being removed.
        """
        file = await self._require(id_, FileStatus.PENDING, FileStatus.STORED)
        if file.status == FileStatus.STORED:
            return file
        try:
            content_type = await self._checked_type(file)
        except UploadMismatchError:
            await self._mark_deleting(id_, only_pending=True)
            raise
        async with self.runtime.database.transaction() as session:
            await FileRepository(session).mark_stored(id_, content_type)
        # Somebody else may have confirmed it, or it may have expired meanwhile: what holds now is the answer.
        return await self._require(id_, FileStatus.STORED)

    async def download_link(self, id_: UUID) -> PresignedRequest:
        """A request that downloads a file.

        Raises:
            NotFoundError: there is no such file.
        """
        file = await self._require(id_, FileStatus.STORED)
        return await self.storage.get_presigned_download_url(
            file.key, filename=file.name, content_type=file.content_type
        )

    async def delete(self, id_: UUID) -> None:
        """Deletes a file, or gives an upload up. The object and then the row go after the commit, however often tried.

        Raises:
            NotFoundError: there is no such file.
        """
        await self._require(id_, FileStatus.PENDING, FileStatus.STORED)
        await self._mark_deleting(id_, only_pending=False)

    async def _require(self, id_: UUID, *statuses: FileStatus) -> File:
        async with self.runtime.database.reading() as session:
            file = await FileRepository(session).one(self.owner_id, id_, *statuses)
        if file is None:
            raise NotFoundError("File", id_)
        return file

    async def _checked_type(self, file: File) -> str:
        found = await self.storage.find(file.key)
        if found is None:
            raise UploadMissingError
        if found.size != file.size:
            raise UploadMismatchError(f"The upload has {found.size} bytes instead of {file.size}.")
        try:
            start = b"".join([piece async for piece in self.storage.download(file.key, first=SNIFF_LENGTH)])
        except ObjectMissingError:
            raise UploadMissingError from None
        content_type = real_type(file.content_type, start)
        if content_type is None:
            raise UploadMismatchError(f"The upload is not {file.content_type}.")
        return content_type

    async def _mark_deleting(self, id_: UUID, *, only_pending: bool) -> None:
        where = [col(File.status) == FileStatus.PENDING] if only_pending else []
        async with self.runtime.database.transaction() as session:
            if await FileRepository(session).mark_deleting(id_, *where):
                await self.runtime.queue.enqueue(session, delete_file, str(id_), job_id=f"storage:{id_}")
