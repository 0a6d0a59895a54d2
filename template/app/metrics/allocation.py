"""Files of values whose space on the disk is allocated before it is used.

The library maps sparse files into memory. On a full disk, the kernel kills a process that writes to one (SIGBUS).
"""

import os
from typing import Final

from prometheus_client.mmap_dict import MmapedDict

INITIAL_SIZE: Final = 64 * 1024
"""Bytes."""
BLOCK: Final = 64 * 1024
ENTRY_SIZE: Final = 28
"""The most bytes of an entry without its key: the key's length and padding, the value and its time."""


class AllocatedDict(MmapedDict):
    """A file of values.

    Raises:
        OSError: no space is left for the file, or for another value. What is in the file can still be changed.
    """

    def __init__(self, filename: str) -> None:
        with open(filename, "ab") as file:  # noqa: PTH123 - as the library, which names files by text
            _allocate(file.fileno(), INITIAL_SIZE)
        super().__init__(filename)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        """Add a value. Overrides the library's method, which enlarges the file by a hole."""
        needed, capacity = self._used + len(key.encode()) + ENTRY_SIZE, self._capacity
        while capacity < needed:
            capacity *= 2
        _allocate(self._f.fileno(), capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _allocate(descriptor: int, size: int) -> None:
    """Append zeros until the file has a size. `posix_fallocate` does not exist on every system."""
    missing = size - os.fstat(descriptor).st_size
    while missing > 0:
        missing -= os.write(descriptor, bytes(min(missing, BLOCK)))
