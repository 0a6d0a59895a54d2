"""Backups in a bucket with the S3 protocol."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from typing import IO, Final

from app.backup.archive import READ_SIZE
from app.backup.destination import CHECKSUM_SUFFIX, StoredBackup, checksum_line, name_taken, newest_first, parse_name
from app.backup.errors import BackupError
from app.backup.portal import Portal
from app.backup.stage import Stage
from app.core.ports.file_stores import FileStore

CONTENT_TYPE: Final = "application/octet-stream"
MAX_CHECKSUM: Final = 1024


class BucketFolder:
    """See `Destination`. An object becomes visible when its upload is complete.

    Args:
        portal: runs the client.
        store: the open bucket.
        prefix: the folder in it, without slashes at its ends; empty for the bucket itself.
        shown: its URL.
        project: the project's name in file names.
    """

    def __init__(self, portal: Portal, store: FileStore, *, prefix: str, shown: str, project: str) -> None:
        self._portal = portal
        self._store = store
        self._prefix = prefix
        self._shown = shown
        self._project = project

    @property
    def shown(self) -> str:
        """See `Destination.shown`."""
        return self._shown

    def lock(self) -> AbstractContextManager[None]:
        """See `Destination.lock`. Objects appear whole, and names contain the time: concurrent commands do no harm."""
        return nullcontext()

    def save(self, name: str, content: Stage) -> int:
        """See `Destination.save`."""
        if self._portal.call(self._store.find(self._key(name))) is not None:
            raise name_taken(name)
        upload = _Upload(content)
        try:
            self._portal.call(self._store.upload(self._key(name), upload.chunks(), content_type=CONTENT_TYPE))
        except Exception:
            # The client replaces errors of the iterator by its own.
            if upload.error is not None:
                raise upload.error from None
            raise
        line = checksum_line(name, upload.digest.hexdigest()).encode()
        self._portal.call(self._store.upload(self._key(name + CHECKSUM_SUFFIX), _once(line), content_type="text/plain"))
        return upload.size

    def backups(self) -> list[StoredBackup]:
        """See `Destination.backups`."""
        found = []
        for batch in self._portal.iterate(self._store.list_files(self._prefix)):
            for item in batch:
                folder, _, name = item.key.rpartition("/")
                if folder == self._prefix:
                    found.append(parse_name(name, item.size))
        return newest_first(iter(found), self._project)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Destination.open`."""
        content = self._portal.iterate(self._store.download(self._key(name)))

        def write(target: IO[bytes]) -> None:
            try:
                for chunk in content:
                    target.write(chunk)
            except LookupError:
                raise BackupError(f"{self._shown}/{name} does not exist.") from None

        with Stage(write) as stage, io.BufferedReader(stage, READ_SIZE) as file:
            yield file

    def checksum(self, name: str) -> str | None:
        """See `Destination.checksum`."""
        key = self._key(name + CHECKSUM_SUFFIX)
        found = self._portal.call(self._store.find(key))
        if found is None or found.size > MAX_CHECKSUM:
            return None
        return b"".join(self._portal.iterate(self._store.download(key))).decode("ascii", "replace")

    def delete(self, name: str) -> None:
        """See `Destination.delete`."""
        for key in (self._key(name), self._key(name + CHECKSUM_SUFFIX)):
            self._portal.call(self._store.delete(key))

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


class _Upload:
    def __init__(self, content: Stage) -> None:
        self._content = content
        self.digest = sha256()
        self.size = 0
        self.error: BaseException | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await asyncio.to_thread(self._content.read, READ_SIZE):
                self.digest.update(chunk)
                self.size += len(chunk)
                yield chunk
        except BaseException as error:
            self.error = error
            raise


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
