"""Digests of streams, computed without holding the whole stream in memory, and keyed digests of values."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, Literal

from pydantic import SecretStr

from app.kit.crypto.comparison import equal_secrets

type Algorithm = Literal["sha256", "sha384", "sha512"]

LARGE_CHUNK: Final = 256 * 1024
"""Bytes. A larger chunk is hashed in a thread, so that the event loop is not blocked."""


MIN_KEY_BYTES: Final = 16


def keyed_digest(key: SecretStr | bytes, value: str | bytes) -> str:
    """Return the HMAC-SHA256 (RFC 2104) of a value in 64 hexadecimal characters, to look rows up by an encrypted value.

    Without the key, an attacker can't find a value with few possibilities, such as a telephone number, by trying them
    all, as is possible with a plain digest. Use a separate key for this purpose, and never rotate it.

    Raises:
        ValueError: the key has fewer than MIN_KEY_BYTES bytes.
    """
    secret = key.get_secret_value().encode() if isinstance(key, SecretStr) else key
    if len(secret) < MIN_KEY_BYTES:
        raise ValueError(f"The key of a keyed digest needs at least {MIN_KEY_BYTES} bytes.")
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return hmac.digest(secret, data, hashlib.sha256).hex()


class DigestMismatchError(ValueError):
    """A stream does not have the expected digest."""

    def __init__(self) -> None:
        super().__init__("The content does not have the expected digest: it is incomplete or was modified.")


class DigestStream:
    """A stream that passes on its chunks and computes their digest at the same time.

    For an upload:

        stream = DigestStream(request.stream())
        await storage.put(key, stream)
        file.sha256, file.size = stream.hexdigest(), stream.size

    Args:
        chunks: the stream.
        algorithm: the algorithm of the digest.
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
