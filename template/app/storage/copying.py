"""Users' files, copied from one store to another. May be interrupted and run again: what is there is not sent twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlmodel import col

from app.core.db.database import Database
from app.storage.models import File, FileStatus
from app.storage.port import ObjectMissingError, StorageUnavailableError
from app.storage.repository import FileRepository
from app.storage.service import StorageService

BATCH: Final = 100
AT_ONCE: Final = 4


class Outcome(StrEnum):
    """What became of a file."""

    COPIED = "copied"
    """Or would have been, where nothing is done."""
    PRESENT = "there already"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCopy:
    """One file.

    Attributes:
        error: why it failed.
    """

    id: UUID
    size: int
    outcome: Outcome
    error: str | None = None


class _WrongSizeError(Exception):
    """The object is not the one that was confirmed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copying:
    """From one store to another.

    Attributes:
        dry: whether to look only.
    """

    database: Database
    source: StorageService
    target: StorageService
    dry: bool = False

    async def count(self) -> int:
        """How many files there are to see to."""
        async with self.database.reading() as session:
            return await FileRepository(session).count(col(File.status) == FileStatus.STORED)

    async def run(self) -> AsyncIterator[Sequence[FileCopy]]:
        """Copies every stored file, the oldest first, and tells in batches what became of them.

        What fails is told, and the rest goes on. A batch of which no file gets through since a store does not answer is
        the last.
        """
        last: UUID | None = None
        gate = asyncio.Semaphore(AT_ONCE)
        while True:
            async with self.database.reading() as session:
                files = await FileRepository(session).stored_after(last, BATCH)
            if not files:
                return
            copies = await asyncio.gather(*(self._one(gate, file) for file in files))
            yield copies
            if all(copy.error == StorageUnavailableError.code for copy in copies):
                return
            last = files[-1].id

    async def _one(self, gate: asyncio.Semaphore, file: File) -> FileCopy:
        outcome, error = Outcome.FAILED, None
        try:
            async with gate:
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
        if self.dry:
            await self._look(file)
        else:
            await self.target.upload(file.key, self._content(file), content_type=file.content_type)
        return Outcome.COPIED

    async def _look(self, file: File) -> None:
        found = await self.source.find(file.key)
        if found is None:
            raise ObjectMissingError(file.key)
        if found.size != file.size:
            raise _WrongSizeError

    async def _content(self, file: File) -> AsyncIterator[bytes]:
        """What is to be sent; what ends too early or too late is not kept, since uploads are whole or none."""
        size = 0
        async for piece in self.source.download(file.key):
            size += len(piece)
            yield piece
        if size != file.size:
            raise _WrongSizeError
