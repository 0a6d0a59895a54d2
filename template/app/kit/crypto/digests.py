"""Digests of streams, which are never in memory as a whole."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, Literal

from app.kit.crypto.comparison import equal_secrets

type Algorithm = Literal["sha256", "sha384", "sha512"]

LARGE_CHUNK: Final = 256 * 1024
"""Bytes. A larger chunk is hashed in a thread, so that the event loop is not blocked."""


class DigestMismatchError(ValueError):
    """A stream does not have the expected digest."""

    def __init__(self) -> None:
        super().__init__("The content does not have the expected digest: it is incomplete or was modified.")


class DigestStream:
    """A stream that passes its chunks on and computes their digest meanwhile.

    For an upload:

        stream = DigestStream(request.stream())
        await storage.put(key, stream)
        file.sha256, file.size = stream.hexdigest(), stream.size

    Args:
        chunks: the stream.
        algorithm: of the digest.
        expected: a digest in hexadecimal characters that the stream must have.

    Raises:
        DigestMismatchError: at the end of the stream, whose chunks have been passed on by then.
    """

    def __init__(
        self, chunks: AsyncIterable[bytes], *, algorithm: Algorithm = "sha256", expected: str | None = None
    ) -> None:
        self._chunks = chunks
        self._hash = hashlib.new(algorithm)
        self._expected = expected
        self.size = 0
        """Bytes that have been passed on."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        async for chunk in self._chunks:
            if len(chunk) > LARGE_CHUNK:
                await asyncio.to_thread(self._hash.update, chunk)
            else:
                self._hash.update(chunk)
            self.size += len(chunk)
            yield chunk
        if self._expected is not None and not equal_secrets(self.hexdigest(), self._expected.lower()):
            raise DigestMismatchError

    def hexdigest(self) -> str:
        """Return the digest of the chunks that have been passed on, in hexadecimal characters."""
        return self._hash.hexdigest()

    def digest(self) -> bytes:
        """Return the digest of the chunks that have been passed on."""
        return self._hash.digest()


async def stream_digest(chunks: AsyncIterable[bytes], *, algorithm: Algorithm = "sha256") -> str:
    """Return the digest of a stream, in hexadecimal characters. For a file on disk, use `hashlib.file_digest`."""
    stream = DigestStream(chunks, algorithm=algorithm)
    async for _ in stream:
        pass
    return stream.hexdigest()
