"""Users' files, from the upload link to the deletion of object and row.

No database connection is held during a call to the store: each method reads, releases the connection, calls the store,
and writes.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.kit.types.file_content import SNIFF_LENGTH, detect_type
from app.storage.errors import (
    FileTooLargeError,
    StorageQuotaError,
    TooManyPendingUploadsError,
    UploadMismatchError,
    UploadMissingError,
)
from app.storage.jobs import delete_file, sweep_files
from app.storage.keys import new_key
from app.storage.models import File, FileStatus
from app.storage.object_store import ObjectStore
from app.storage.port import ObjectMissingError, PresignedRequest, StorageUnavailableError
from app.storage.repository import FileRepository
from app.storage.schemas import UploadRequest
from app.storage.settings import StorageSettings

UPLOAD_LIFETIME: Final = timedelta(hours=1)
"""Lifetime of an unconfirmed upload. Longer than its link's, since a slow upload may start just before that expires."""

DELETE_TIMEOUT: Final = timedelta(seconds=3)
"""Time that a request waits for the store to delete an object. After that, the job retries."""


@dataclass(frozen=True, slots=True)
class FileService:
    """The files of one user."""

    runtime: Runtime
    store: ObjectStore
    owner_id: UUID

    async def start_upload(self, data: UploadRequest) -> tuple[UUID, PresignedRequest]:
        """Create a pending upload, and return its id and the request that uploads the content.

        Raises:
            FileTooLargeError: the size exceeds MAX_UPLOAD_SIZE.
            StorageQuotaError: the user's files would exceed STORAGE_MAX_BYTES_PER_USER.
            QuotaExceededError: the user's files would exceed the plan's `storage_mb`.
            TooManyPendingUploadsError: the user has STORAGE_MAX_PENDING_UPLOADS pending uploads.
        """
        if data.size > self.store.max_upload_size:
            raise FileTooLargeError(self.store.max_upload_size)
        key = new_key(self.owner_id)
        link = await self.store.get_presigned_upload_url(key, content_type=data.content_type, size=data.size)
        values = data.model_dump() | {"key": key, "due_at": utc_now() + UPLOAD_LIFETIME}
        async with self.runtime.database.transaction() as session:
            await self._check_quota(session, data.size)
            await self.runtime.plans.reserve(session, self.owner_id, "storage_mb", data.size)
            file = await FileRepository(session).create_with_owner(values, self.owner_id)
            await sweep_if_due(self.runtime, session)
        return file.id, link

    async def confirm(self, id_: UUID) -> File:
        """Check that the content has been uploaded, with the announced size and type. Idempotent.

        Raises:
            NotFoundError: the upload doesn't exist or has expired.
            UploadMissingError: nothing has been uploaded yet.
            UploadMismatchError: the content doesn't match the announcement; it is being removed.
        """
        file = await self._require(id_, FileStatus.PENDING, FileStatus.STORED)
        if file.status == FileStatus.STORED:
            return file
        try:
            content_type = await self._checked_type(file)
        except UploadMismatchError:
            await self._delete(id_, only_pending=True)
            raise
        async with self.runtime.database.transaction() as session:
            await FileRepository(session).mark_stored(id_, content_type)
        # A concurrent request may have confirmed or deleted it, or it may have expired: return its current state.
        return await self._require(id_, FileStatus.STORED)

    async def download_link(self, id_: UUID) -> PresignedRequest:
        """Return a request that downloads a file.

        Raises:
            NotFoundError: the file doesn't exist.
        """
        file = await self._require(id_, FileStatus.STORED)
        return await self.store.get_presigned_download_url(file.key, filename=file.name, content_type=file.content_type)

    async def delete(self, id_: UUID) -> None:
        """Delete a file or cancel an upload. Links to it stop working at once, if the store responds.

        Raises:
            NotFoundError: the file doesn't exist.
        """
        await self._require(id_, FileStatus.PENDING, FileStatus.STORED)
        await self._delete(id_, only_pending=False)

    async def _check_quota(self, session: AsyncSession, size: int) -> None:
        settings = self.runtime.resource(StorageSettings)
        files = FileRepository(session)
        # Concurrent uploads of the same user are counted one after the other.
        await files.lock_owner(self.owner_id)
        usage = await files.usage(self.owner_id)
        if usage.pending >= settings.STORAGE_MAX_PENDING_UPLOADS:
            raise TooManyPendingUploadsError(
                settings.STORAGE_MAX_PENDING_UPLOADS, retry_after=(usage.next_expiry or utc_now()) - utc_now()
            )
        if usage.size + size > settings.STORAGE_MAX_BYTES_PER_USER:
            raise StorageQuotaError(limit=settings.STORAGE_MAX_BYTES_PER_USER, used=usage.size)

    async def _require(self, id_: UUID, *statuses: FileStatus) -> File:
        async with self.runtime.database.reading() as session:
            file = await FileRepository(session).one(self.owner_id, id_, *statuses)
        if file is None:
            raise NotFoundError("File", id_)
        return file

    async def _checked_type(self, file: File) -> str:
        found = await self.store.find(file.key)
        if found is None:
            raise UploadMissingError
        if found.size != file.size:
            raise UploadMismatchError(f"The upload has {found.size} bytes instead of {file.size}.")
        try:
            start = b"".join([chunk async for chunk in self.store.download(file.key, first=SNIFF_LENGTH)])
        except ObjectMissingError:
            raise UploadMissingError from None
        content_type = detect_type(file.content_type, start)
        if content_type is None:
            raise UploadMismatchError(f"The content of the upload is not {file.content_type}.")
        return content_type

    async def _delete(self, id_: UUID, *, only_pending: bool) -> None:
        where = [col(File.status) == FileStatus.PENDING] if only_pending else []
        async with self.runtime.database.transaction() as session:
            deleting = await FileRepository(session).mark_deleting(id_, *where)
            if deleting:
                # Retries if the process is killed or the store fails below.
                await self.runtime.queue.enqueue(session, delete_file, str(id_), job_id=f"storage:{id_}")
        if deleting:
            with suppress(StorageUnavailableError, TimeoutError):
                async with asyncio.timeout(DELETE_TIMEOUT.total_seconds()):
                    await delete_file(self.runtime, str(id_))


async def sweep_if_due(runtime: Runtime, session: AsyncSession) -> None:
    """Queue a sweep if files have expired. Without a scheduler, only this removes them."""
    if await FileRepository(session).any_due():
        await runtime.queue.enqueue(session, sweep_files, job_id="storage:sweep")
