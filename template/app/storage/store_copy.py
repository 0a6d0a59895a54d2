"""Copy users' files from one store to another. It may be interrupted and repeated: existing copies are skipped."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlmodel import col

from app.core.db.database import Database
from app.storage.models import File, FileStatus
from app.storage.object_store import ObjectStore
from app.storage.port import ObjectMissingError, StorageUnavailableError
from app.storage.repository import FileRepository

BATCH_SIZE: Final = 100
MAX_CONCURRENT_COPIES: Final = 4


class Outcome(StrEnum):
    """The outcome for one file."""

    COPIED = "copied"
    """Copied; in a dry run, to be copied."""
    PRESENT = "present"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCopy:
    """The outcome for one file.

    Attributes:
        error: the code of the failure, if it failed.
    """

    id: UUID
    size: int
    outcome: Outcome
    error: str | None = None


class _WrongSizeError(Exception):
    """The object's size differs from the confirmed one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreCopy:
    """A copy of all stored files from `source` to `target`.

    Attributes:
        dry_run: only check which files would be copied.
    """

    database: Database
    source: ObjectStore
    target: ObjectStore
    dry_run: bool = False

    async def count(self) -> int:
        """Return the number of files to copy."""
        async with self.database.reading() as session:
            return await FileRepository(session).count(col(File.status) == FileStatus.STORED)

    async def run(self) -> AsyncIterator[Sequence[FileCopy]]:
        """Copy every stored file, oldest first, and yield the outcomes in batches.

        A failed file doesn't stop the others. If a store is unavailable for every file of a batch, that batch is the
        last.
        """
        last: UUID | None = None
        semaphore = asyncio.Semaphore(MAX_CONCURRENT_COPIES)
        while True:
            async with self.database.reading() as session:
                files = await FileRepository(session).stored_after(last, BATCH_SIZE)
            if not files:
                return
            copies = await asyncio.gather(*(self._one(semaphore, file) for file in files))
            yield copies
            if all(copy.error == StorageUnavailableError.code for copy in copies):
                return
            last = files[-1].id

    async def _one(self, semaphore: asyncio.Semaphore, file: File) -> FileCopy:
        outcome, error = Outcome.FAILED, None
        try:
            async with semaphore:
                outcome = await self._copy(file)
        except StorageUnavailableError as unavailable:
            error = unavailable.code
        except ObjectMissingError:
            error = "OBJECT_MISSING"
        except _WrongSizeError:
            error = "OBJECT_HAS_ANOTHER_SIZE"
        return FileCopy(id=file.id, size=file.size, outcome=outcome, error=error)

    async def _copy(self, file: File) -> Outcome:
        found = await self.target.find(file.key)
        if found is not None and found.size == file.size:
            return Outcome.PRESENT
        if self.dry_run:
            await self._check_source(file)
        else:
            await self.target.upload(file.key, self._content(file), content_type=file.content_type)
        return Outcome.COPIED

    async def _check_source(self, file: File) -> None:
        found = await self.source.find(file.key)
        if found is None:
            raise ObjectMissingError(file.key)
        if found.size != file.size:
            raise _WrongSizeError

    async def _content(self, file: File) -> AsyncIterator[bytes]:
        """Yield the content. A wrong size raises at the end, and since uploads are atomic, nothing is stored."""
        size = 0
        async for chunk in self.source.download(file.key):
            size += len(chunk)
            yield chunk
        if size != file.size:
            raise _WrongSizeError
