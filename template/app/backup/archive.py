"""The format of a backup: a tar archive of regular files only, written and read as a stream.

    database/00000001, …    parts of the dump: put together, they are the dump
    files/<key>             a stored file
    listing/00000001, …     parts of a list of the files, if they are in a bucket: a JSON object a line
    manifest.json           last, so that a backup that was cut off has none

The size of a dump is unknown until it ends, and a tar archive needs it before: hence the parts.
"""

import re
import tarfile
from hashlib import sha256
from typing import Final

BLOCK: Final = 512
PART_SIZE: Final = 4 * 1024 * 1024
READ_SIZE: Final = 256 * 1024
MANIFEST: Final = "manifest.json"
MAX_MANIFEST: Final = 8 * 1024 * 1024
DATABASE, FILES, LISTING = "database", "files", "listing"
ORDER: Final = (DATABASE, FILES, LISTING, MANIFEST)
MAX_NAME: Final = 256
_PART: Final = r"[A-Za-z0-9_-](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
KEY: Final = re.compile(rf"{_PART}(?:/{_PART})*")
"""Keys of stored files. None is absolute or contains `..`, and none means anything to a shell."""


def header(name: str, size: int) -> bytes:
    """Return the header of a regular file."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def parse_header(block: bytes) -> tarfile.TarInfo:
    """Return the entry that a header describes.

    Raises:
        tarfile.HeaderError: the block is no header.
    """
    return tarfile.TarInfo.frombuf(block, "ascii", "surrogateescape")


def is_name(folder: str, key: str) -> bool:
    """Return whether a backup can contain an entry with this key."""
    return len(f"{folder}/{key}") <= MAX_NAME and KEY.fullmatch(key) is not None


def padding(size: int) -> bytes:
    """Return the zeros after a content of this size, which fill its last block."""
    return bytes(-size % BLOCK)


class ContentDigest:
    """The size, number and digest of the files of one kind."""

    def __init__(self) -> None:
        self.size = self.count = 0
        self._hash = sha256()

    def begin(self, key: str, size: int) -> None:
        """Begin a file with a key."""
        self.count += 1
        self._hash.update(f"{key}\n{size}\n".encode())

    def update(self, content: bytes) -> None:
        """Add content."""
        self.size += len(content)
        self._hash.update(content)

    @property
    def hex(self) -> str:
        """The digest in hexadecimal digits."""
        return self._hash.hexdigest()
