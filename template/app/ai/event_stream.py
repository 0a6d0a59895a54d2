"""Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as providers send them."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

LONGEST: Final = 4 * 1024 * 1024
"""Of an event, in bytes. Nobody's pieces are longer."""


class EventStreamError(ValueError):
    """What comes is no stream of events."""


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event. Other fields are left out: who speaks JSON says in it what it is.

    A line ends with a line feed, with or without a carriage return before it; nothing else ends one, since a text may
    well hold what Python takes for the end of a line.

    Raises:
        EventStreamError: an event is too long or no UTF-8.
    """
    buffer = bytearray()
    data: list[bytes] = []
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) + sum(map(len, data)) > LONGEST:
            raise EventStreamError("an event is too long")
        *lines, rest = buffer.split(b"\n")
        buffer = rest
        for line in lines:
            content = bytes(line.removesuffix(b"\r"))
            if content.startswith(b"data:"):
                data.append(content.removeprefix(b"data:").removeprefix(b" "))
            elif not content and data:
                yield _text(data)
                data.clear()


def _text(data: list[bytes]) -> str:
    try:
        return b"\n".join(data).decode()
    except UnicodeDecodeError:
        raise EventStreamError("an event is no UTF-8") from None
