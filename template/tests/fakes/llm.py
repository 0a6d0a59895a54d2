"""A fake of a language model's server, in the test's own event loop.

Its API is defined by a `Dialect`; each provider's fake has one.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

type Json = dict[str, Any]

KEY = "very-secret-key"
DATA = re.compile(r"(?<=^data: )\{.*\}(?=\r?$)", re.MULTILINE)
TEXTS = ("Grüß", " dich,\n", "Welt\r\n\u2028", "!")


@dataclass(frozen=True, kw_only=True, slots=True)
class Says:
    """The server answers with these pieces and token counts.

    Attributes:
        cached: input tokens that came from the cache.
        thought: output tokens of the reasoning.
        finish: `stop`, `length` or `refused`.
        hold: the server waits for this event after the first piece.
        cut: the server closes the connection after the pieces, without ending the answer.
        fails: the server reports an error after the pieces.
        nulls: null replaces empty values, as with some compatible servers.
    """

    texts: Sequence[str] = TEXTS
    read: int = 20
    cached: int = 5
    written: int = 12
    thought: int = 8
    finish: str = "stop"
    hold: asyncio.Event | None = None
    cut: bool = False
    fails: bool = False
    nulls: bool = False

    @property
    def text(self) -> str:
        """The complete text."""
        return "".join(self.texts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fails:
    """The server answers with an error.

    Attributes:
        kind: `overloaded`, `rate_limited`, `spent`, `key`, `invalid` or `no_model`.
    """

    kind: str
    retry_after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sends:
    """The server answers with exactly these bytes."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Hangs:
    """The server accepts the request and never answers."""


type Behaviour = Says | Fails | Sends | Hangs


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A parsed request."""

    model: str
    system: str | None
    turns: Sequence[tuple[str, str]]
    max_tokens: int
    search: bool
    stream: bool
    key: str | None


class Dialect(Protocol):
    """The API of a provider."""

    def understand(self, method: str, path: str, headers: Mapping[str, str], body: Json) -> Asked:
        """Parse a request. Raise `AssertionError` if the provider would reject it."""
        ...

    def whole(self, asked: Asked, says: Says) -> Json:
        """Return the body of a complete answer."""
        ...

    def events(self, asked: Asked, says: Says) -> Sequence[str]:
        """Return the events of a stream: one before the text, one for each piece, and those that end it."""
        ...

    def broken(self) -> str:
        """Return the event of an error in the middle of a stream."""
        ...

    def failure(self, fails: Fails) -> tuple[int, Json]:
        """Status and body of an error."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A provider under test.

    Attributes:
        key: the name of the setting with its key.
        url: the name of the setting with its URL.
        path: the path of that URL.
    """

    name: str
    dialect: Dialect
    key: str
    url: str
    path: str = ""

    def settings(self, fake: "FakeLLM") -> dict[str, str]:
        """Return the settings that point to a fake."""
        return {self.key: KEY, self.url: f"{fake.url}{self.path}"}


@dataclass(slots=True)
class FakeLLM:
    """A server at `url`. Each call uses the next behaviour; the last one is repeated.

    Attributes:
        asked: the requests so far.
        open: the number of calls in progress.
        left: set when a client disconnects.
    """

    dialect: Dialect
    behaviours: list[Behaviour] = field(default_factory=lambda: [Says()])
    asked: list[Asked] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    open: int = 0
    url: str = ""
    server: asyncio.Server | None = None
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def never(self) -> asyncio.Event:
        """An event that is never set."""
        return asyncio.Event()

    def will(self, *behaviours: Behaviour) -> None:
        """Set the behaviours from now on."""
        self.behaviours = list(behaviours)

    def stop(self) -> None:
        """Refuse connections from now on."""
        assert self.server is not None
        self.server.close()

    async def until_open(self, count: int) -> None:
        """Wait until this number of calls is in progress."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.open == count)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request; each connection has only one."""
        serving: asyncio.Task[None] | None = asyncio.current_task()
        assert serving is not None
        self.connections.add(serving)
        serving.add_done_callback(self.connections.discard)
        try:
            await self._serve(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _serve(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start, *lines = head.decode().rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = start.split(" ")
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        asked = self.dialect.understand(method, path, headers, body)
        self.asked.append(asked)
        behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        await self._count(1)
        leaving = asyncio.ensure_future(reader.read(1))
        answering = asyncio.ensure_future(self._answer(behaviour, asked, writer))
        try:
            await asyncio.wait({leaving, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.left.set()
        finally:
            for task in (leaving, answering):
                task.cancel()
            await asyncio.wait({leaving, answering})
            await self._count(-1)

    async def _count(self, change: int) -> None:
        async with self.changed:
            self.open += change
            self.changed.notify_all()

    async def _answer(self, behaviour: Behaviour, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if isinstance(behaviour, Hangs):
            await asyncio.Event().wait()
        elif isinstance(behaviour, Fails):
            status, body = self.dialect.failure(behaviour)
            extra = "" if behaviour.retry_after is None else f"Retry-After: {behaviour.retry_after}\r\n"
            await _send(writer, status, json.dumps(body).encode(), extra=extra)
        elif isinstance(behaviour, Sends):
            await _send(writer, behaviour.status, behaviour.body, behaviour.content_type)
        elif not asked.stream:
            body = self.dialect.whole(asked, behaviour)
            sent = _with_nulls(body) if behaviour.nulls else body
            await _send(writer, 200, json.dumps(sent, ensure_ascii=False).encode())
        else:
            await self._stream(behaviour, asked, writer)

    async def _stream(self, says: Says, asked: Asked, writer: asyncio.StreamWriter) -> None:
        head = ("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", "Connection: close")
        writer.write("".join(f"{line}\r\n" for line in (*head, "")).encode())
        events = self.dialect.events(asked, says)
        if says.nulls:
            events = [DATA.sub(lambda data: json.dumps(_with_nulls(json.loads(data[0]))), event) for event in events]
        spoken = 1 + len(says.texts)
        for place, event in enumerate(events):
            if place == spoken and (says.cut or says.fails):
                break
            await _chunk(writer, event)
            if place == 1 and says.hold is not None:
                await says.hold.wait()
        if says.fails:
            await _chunk(writer, self.dialect.broken())
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _with_nulls(value: object) -> object:
    """Replace empty values by null, as some compatible servers send it."""
    if isinstance(value, dict):
        value = {name: _with_nulls(item) for name, item in value.items()}
        return value or None
    if isinstance(value, list):
        return [_with_nulls(item) for item in value] or None
    return value or None


async def _chunk(writer: asyncio.StreamWriter, event: str) -> None:
    content = event.encode()
    # In two parts: where a chunk ends says nothing about where an event or a letter does.
    for part in (content[: len(content) // 2], content[len(content) // 2 :]):
        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        await writer.drain()


async def _send(
    writer: asyncio.StreamWriter, status: int, body: bytes, content_type: str = "application/json", extra: str = ""
) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()


@asynccontextmanager
async def serving_llm(dialect: Dialect) -> AsyncIterator[FakeLLM]:
    """Serve a fake for the duration of the block."""
    fake = FakeLLM(dialect)
    server = fake.server = await asyncio.start_server(fake.handle, "127.0.0.1", 0, limit=2**24)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        for task in fake.connections:
            task.cancel()
        if fake.connections:
            await asyncio.wait(fake.connections)
