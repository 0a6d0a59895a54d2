"""Digests of streams, and keyed digests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.kit.crypto.digests import LARGE_CHUNK, DigestMismatchError, DigestStream, keyed_digest, stream_digest


async def chunks(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class TestStream:
    @given(st.lists(st.binary(max_size=50), max_size=10))
    async def test_is_the_digest_of_all_chunks(self, parts: list[bytes]) -> None:
        whole = b"".join(parts)

        assert await stream_digest(chunks(parts)) == hashlib.sha256(whole).hexdigest()
        assert await stream_digest(chunks(parts), algorithm="sha512") == hashlib.sha512(whole).hexdigest()

    async def test_large_chunks(self) -> None:
        parts = [b"a" * (LARGE_CHUNK + 1), b"b"]

        assert await stream_digest(chunks(parts)) == hashlib.sha256(b"".join(parts)).hexdigest()

    async def test_the_event_loop_runs_while_a_large_chunk_is_hashed(self) -> None:
        for size, ran in ((LARGE_CHUNK + 1, True), (10, False)):
            other = asyncio.ensure_future(asyncio.sleep(0))
            await stream_digest(chunks([b"a" * size]))
            assert other.done() is ran
            await other

    async def test_passes_the_chunks_on(self) -> None:
        stream = DigestStream(chunks([b"one", b"", b"two"]))

        assert [chunk async for chunk in stream] == [b"one", b"", b"two"]
        assert stream.size == 6
        assert stream.hexdigest() == stream.digest().hex() == hashlib.sha256(b"onetwo").hexdigest()

    async def test_an_expected_digest(self) -> None:
        expected = hashlib.sha256(b"one").hexdigest().upper()

        assert [chunk async for chunk in DigestStream(chunks([b"one"]), expected=expected)] == [b"one"]
        for other in (b"onE", b"on", b""):
            with pytest.raises(DigestMismatchError):
                _ = [chunk async for chunk in DigestStream(chunks([other]), expected=expected)]


class TestKeyed:
    @pytest.mark.parametrize(
        ("key", "data", "digest"),
        [
            # RFC 4231, test cases 1, 3, 4, 6 and 7
            ("0b" * 20, b"Hi There".hex(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            ("aa" * 20, "dd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                bytes(range(1, 26)).hex(),
                "cd" * 50,
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                "aa" * 131,
                b"Test Using Larger Than Block-Size Key - Hash Key First".hex(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                "aa" * 131,
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs "
                b"to be hashed before being used by the HMAC algorithm.".hex(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ],
    )
    def test_known_answers(self, key: str, data: str, digest: str) -> None:
        assert keyed_digest(bytes.fromhex(key), bytes.fromhex(data)) == digest

    def test_texts(self) -> None:
        assert keyed_digest(SecretStr("k" * 32), "ä") == keyed_digest(b"k" * 32, "ä".encode())
        assert keyed_digest(b"k" * 32, "\ud800") != keyed_digest(b"k" * 32, "?")

    def test_short_keys_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 16 bytes"):
            keyed_digest(SecretStr("short"), "value")
