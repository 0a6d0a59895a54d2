"""Read a backup as a stream, and check all of it. The archive may be hostile: nothing in it is trusted."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, Protocol

from pydantic import ValidationError

from app.backup.archive import (
    BLOCK,
    DATABASE,
    FILES,
    LISTING,
    MANIFEST,
    MAX_MANIFEST,
    MAX_NAME,
    ORDER,
    PART_SIZE,
    READ_SIZE,
    ContentDigest,
    is_name,
    padding,
    parse_header,
)
from app.backup.errors import BackupError, DamagedError
from app.backup.manifest import Contents, Manifest

FOREIGN: Final = "it contains an entry that no backup contains"
CUT: Final = "it is incomplete: its end is missing"


class Receiver(Protocol):
    """A receiver of a backup's contents while it is read. They are checked only when the whole backup was read."""

    def database(self, content: bytes) -> None:
        """Take a part of the dump."""
        ...

    def file(self, key: str, size: int, content: Iterator[bytes]) -> None:
        """Take a stored file. What is not read of it is skipped."""
        ...

    def listing(self, content: bytes) -> None:
        """Take a part of the list of the files."""
        ...


class Discard:
    """A receiver that keeps nothing: for checks."""

    def database(self, content: bytes) -> None:
        """See `Receiver.database`."""

    def file(self, key: str, size: int, content: Iterator[bytes]) -> None:
        """See `Receiver.file`."""

    def listing(self, content: bytes) -> None:
        """See `Receiver.listing`."""


def read_archive(source: IO[bytes], receiver: Receiver) -> Manifest:
    """Pass a backup's contents to a receiver, and return its manifest once everything agrees with it.

    Raises:
        DamagedError: the archive is incomplete, was changed, or contains anything that a backup doesn't contain.
        BackupError: it was written by a newer version.
    """
    return _Reading(source, receiver).run()


@dataclass(frozen=True, slots=True)
class _Member:
    folder: str
    key: str
    size: int


class _Reading:
    def __init__(self, source: IO[bytes], receiver: Receiver) -> None:
        self._source = source
        self._receiver = receiver
        self._digests = {folder: ContentDigest() for folder in (DATABASE, FILES, LISTING)}
        self._parts = {DATABASE: 0, LISTING: 0}

    def run(self) -> Manifest:
        last = 0
        while (member := self._next()) is not None:
            position = ORDER.index(member.folder)
            if position < last:
                raise DamagedError("its parts are not in order")
            last = position
            if member.folder == MANIFEST:
                manifest = _manifest(b"".join(self._content(member.size)))
                self._skip_padding(member.size)
                self._require_end()
                self._compare(manifest)
                return manifest
            self._take(member)
            self._skip_padding(member.size)
        raise DamagedError("it is incomplete: it has no manifest")

    def _take(self, member: _Member) -> None:
        digest = self._digests[member.folder]
        if member.folder == FILES:
            digest.begin(member.key, member.size)
            content = self._digested(member.size, digest)
            self._receiver.file(member.key, member.size, content)
            for _ in content:
                # The receiver did not need it.
                pass
            return
        self._parts[member.folder] += 1
        if member.key != f"{self._parts[member.folder]:08}":
            raise DamagedError("its parts are not in order")
        part = b"".join(self._digested(member.size, digest))
        (self._receiver.database if member.folder == DATABASE else self._receiver.listing)(part)

    def _digested(self, size: int, digest: ContentDigest) -> Iterator[bytes]:
        for chunk in self._content(size):
            digest.update(chunk)
            yield chunk

    def _content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self._exactly(min(left, READ_SIZE))
            left -= len(chunk)
            yield chunk

    def _exactly(self, size: int) -> bytes:
        content = self._source.read(size)
        while len(content) < size:
            more = self._source.read(size - len(content))
            if not more:
                raise DamagedError(CUT)
            content += more
        return content

    def _skip_padding(self, size: int) -> None:
        if any(self._exactly(len(padding(size)))):
            raise DamagedError(FOREIGN)

    def _require_end(self) -> None:
        if any(self._exactly(2 * BLOCK)) or self._source.read(1):
            raise DamagedError("something follows its end")

    def _next(self) -> _Member | None:
        block = self._exactly(BLOCK)
        if not any(block):
            return None
        info = _header(block)
        if info.type == tarfile.GNUTYPE_LONGNAME:
            # The name of the next entry, if it does not fit into the header.
            if not 0 < info.size <= MAX_NAME + 1:
                raise DamagedError(FOREIGN)
            long_name = self._exactly(info.size)
            self._skip_padding(info.size)
            info = _header(self._exactly(BLOCK))
            info.name = long_name.rstrip(b"\0").decode("ascii", "replace")
        return _checked(info)

    def _compare(self, manifest: Manifest) -> None:
        self._require_equal(manifest.database, self._digests[DATABASE], "the database")
        files, listing = self._digests[FILES], self._digests[LISTING]
        if manifest.files is None:
            if files.count or self._parts[LISTING]:
                raise DamagedError(FOREIGN)
            return
        if manifest.files.copied:
            self._require_equal(manifest.files, files, "the stored files")
            if files.count != manifest.files.count or self._parts[LISTING]:
                raise DamagedError("the number of its files differs from its manifest")
        elif files.count or listing.hex != manifest.files.sha256:
            raise DamagedError("the list of the stored files differs from its manifest")

    @staticmethod
    def _require_equal(expected: Contents, found: ContentDigest, name: str) -> None:
        if (expected.size, expected.sha256) != (found.size, found.hex):
            raise DamagedError(f"{name} in it differs from its manifest")


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        return parse_header(block)
    except tarfile.HeaderError:
        raise DamagedError("it is not a backup, or was changed") from None


def _checked(info: tarfile.TarInfo) -> _Member:
    """Return an entry of the archive, unless it is a link, has a path that no backup has, or is too large."""
    folder, slash, key = info.name.partition("/")
    regular = info.type == tarfile.REGTYPE and info.size >= 0 and not info.linkname
    if not regular or folder not in ORDER or (folder == MANIFEST) == bool(slash):
        raise DamagedError(FOREIGN)
    limits = {MANIFEST: MAX_MANIFEST, DATABASE: PART_SIZE, LISTING: PART_SIZE}
    if info.size > limits.get(folder, info.size) or (slash and not is_name(folder, key)):
        raise DamagedError(FOREIGN)
    return _Member(folder, key, info.size)


def _manifest(content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        if any(item["loc"] == ("format",) for item in error.errors(include_input=False)):
            raise BackupError(
                "The backup was written by a newer version of this application. Use the release that wrote it."
            ) from None
        raise DamagedError("its manifest is invalid") from None
