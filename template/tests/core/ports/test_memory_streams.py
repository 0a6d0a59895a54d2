"""Streams in this process."""

from datetime import timedelta

import pytest

from app.core.ports.memory_streams import MemoryStreams
from app.core.ports.streams import Streams
from tests.core.ports.stream_contract import StreamContract


class TestMemoryStreams(StreamContract):
    @pytest.fixture
    def streams(self) -> Streams:
        return MemoryStreams()

    @pytest.fixture
    def others(self, streams: Streams) -> Streams:
        return streams


async def test_expired_streams_take_no_memory() -> None:
    streams = MemoryStreams()
    for number in range(100):
        await streams.end(f"stream {number}", timedelta())
    await streams.end("another", timedelta(hours=1))

    assert len(streams._streams) == 1  # noqa: SLF001 - memory
