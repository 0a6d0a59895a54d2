"""Stages of a stream: each runs in a thread of its own and passes its bytes on through a pipe."""

import io
import os
from collections.abc import Callable
from threading import Thread
from typing import IO, Self


class Stage(io.RawIOBase):
    """A stream of the bytes that a function writes in a thread of its own.

    A pipe holds some 64 KiB: the function waits until they are read. An error of the function is raised where its bytes
    end, so a reader never takes a part for the whole.

    Args:
        write: writes to the stream that it is called with.
    """

    def __init__(self, write: Callable[[IO[bytes]], object]) -> None:
        super().__init__()
        start, end = os.pipe()
        self._source = os.fdopen(start, "rb", buffering=0)
        self._write = write
        self.error: BaseException | None = None
        """The function's error, once it has ended."""
        self._thread = Thread(target=self._run, args=(end,), daemon=True)
        self._thread.start()

    def _run(self, end: int) -> None:
        try:
            with os.fdopen(end, "wb", buffering=64 * 1024) as stream:
                self._write(stream)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that reads
            self.error = error

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def readable(self) -> bool:
        """See `io.IOBase.readable`."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override] # the stub's type is not public
        """See `io.RawIOBase.readinto`. Raises the function's error at the end."""
        count = self._source.readinto(buffer) or 0
        if count == 0:
            self._thread.join()
            if self.error is not None:
                raise self.error
        return count

    def close(self) -> None:
        """Stop reading. A function that still writes gets a `BrokenPipeError`."""
        if not self.closed:
            self._source.close()
            self._thread.join()
        super().close()
