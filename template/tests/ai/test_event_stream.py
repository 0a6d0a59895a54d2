"""Parsing of providers' event streams."""

from collections.abc import AsyncIterator

import pytest

from app.ai.event_stream import MAX_EVENT_SIZE, EventStreamError, read_events


async def read(*chunks: bytes) -> list[str]:
    """Return the data of all events."""

    async def coming() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [data async for data in read_events(coming())]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"data: one\n\ndata: two\n\n", ["one", "two"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"]),
        (b"data:one\ndata: two\n\n", ["one\ntwo"]),
        (b"event: ping\nid: 1\nretry: 5\n\ndata: x\n\n", ["x"]),
        (b": a comment\n\ndata: x\n\n", ["x"]),
        (b"data:  two spaces\n\n", [" two spaces"]),
        (b"data: \n\n", [""]),
        (b"data: unfinished\n", []),
        (b"database: x\n\n", []),
        ("data: a\u2028b\u0085c\x0bd\n\n".encode(), ["a\u2028b\u0085c\x0bd"]),
        (b"", []),
    ],
)
async def test_yields_the_data(sent: bytes, expected: list[str]) -> None:
    assert await read(sent) == expected
    assert await read(*(sent[place : place + 1] for place in range(len(sent)))) == expected


async def test_the_size_of_an_event_is_limited() -> None:
    with pytest.raises(EventStreamError, match="too large"):
        await read(*([b"x" * (MAX_EVENT_SIZE // 2)] * 3))
    with pytest.raises(EventStreamError, match="too large"):
        await read(*([b"data: " + b"x" * (MAX_EVENT_SIZE // 2) + b"\n"] * 3))


async def test_accepts_only_utf_8() -> None:
    with pytest.raises(EventStreamError, match="UTF-8"):
        await read(b"data: \xff\n\n")
