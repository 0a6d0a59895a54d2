"""Parse the server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) of providers."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

MAX_EVENT_SIZE: Final = 4 * 1024 * 1024
"""Maximum size of an event in bytes. No provider sends larger ones."""


class EventStreamError(ValueError):
    """The response is not a valid event stream."""


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """Yield the data of each event. Other fields are ignored, since the JSON data names the type of the event.

    Lines end with a line feed, or a carriage return and a line feed. Other characters that `str.splitlines` treats as
    line ends may be part of a text.

    Raises:
        EventStreamError: an event is too large or not UTF-8.
    """
    buffer = bytearray()
    data: list[bytes] = []
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) + sum(map(len, data)) > MAX_EVENT_SIZE:
            raise EventStreamError("an event is too large")
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
        raise EventStreamError("an event is not UTF-8") from None
