"""An answer as a stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from app.ai.port import Completion, Delta, Finish, Part
from app.ai.service import StartedAnswer
from app.ai.sse import EventStream, StreamTiming
from app.core.context import SCOPE_KEY, RequestContext
from app.users.errors import AccountDeactivatedError
from tests.ai.requests import parse

DONE = Completion(provider="p", model="m", text="a", finish=Finish.STOP, usage=None, cost=Decimal("0.000015"))
LONG = 60.0
SHORT = 0.01


@dataclass(slots=True)
class Client:
    """A client of the stream.

    Attributes:
        disconnected: whether its connection is closed.
        reads: cleared when it stops reading.
        pinged: set by a comment.
        released: how often the answer was released.
    """

    disconnected: bool = False
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    pinged: asyncio.Event = field(default_factory=asyncio.Event)
    released: int = 0

    def __post_init__(self) -> None:
        self.reads.set()

    async def receive_stream(
        self,
        parts: AsyncGenerator[Part, None],
        *,
        deadline: float = LONG,
        active: bool = True,
        timing: StreamTiming | None = None,
    ) -> str:
        """Return the body of the response to an answer."""
        body: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                if self.disconnected:
                    raise OSError
                await self.reads.wait()
                if message["body"] == KEEPALIVE_COMMENT:
                    self.pinged.set()
                body.append(message["body"])

        async def receive() -> Message:
            raise AssertionError("a server with spec_version 2.4 is not asked whether the client is connected")

        async def check_access() -> None:
            if not active:
                raise AccountDeactivatedError

        async def release() -> None:
            self.released += 1

        answer = StartedAnswer(
            first=await anext(parts),
            rest=parts,
            deadline=asyncio.get_running_loop().time() + deadline,
            check_access=check_access,
            release=release,
        )
        scope: Scope = {"type": "http", "asgi": {"spec_version": "2.4"}, SCOPE_KEY: RequestContext("request-1")}
        await EventStream(answer, timing or StreamTiming(write_timeout=LONG))(scope, receive, send)
        return b"".join(body).decode()


@pytest.fixture
def client() -> Client:
    return Client()


async def endless(closed: asyncio.Event | None = None) -> AsyncGenerator[Part, None]:
    """An answer that stalls after its first part."""
    try:
        yield Delta(text="a")
        await asyncio.Event().wait()
    finally:
        if closed is not None:
            closed.set()


async def ceaseless() -> AsyncGenerator[Part, None]:
    """An answer whose parts follow each other without a pause."""
    while True:
        yield Delta(text="a")
        await asyncio.sleep(0)


def error_code(body: str) -> str:
    """Return the code of the error that ends a stream."""
    name, data = parse(body)[-1]
    assert name == "error"
    return str(data["error"]["code"])


async def test_line_breaks_in_a_text_do_not_end_an_event(client: Client) -> None:
    text = "a\nb\r\nc\rd\u2028e\n\ndata: x"

    async def parts() -> AsyncGenerator[Part, None]:
        yield Delta(text=text)
        yield DONE

    assert parse(await client.receive_stream(parts())) == [
        ("delta", {"text": text}),
        (
            "usage",
            {"provider": "p", "model": "m", "text": "a", "finish": "stop", "usage": None, "cost": 0.000015},
        ),
    ]
    assert client.released == 1


async def test_an_unexpected_error_reveals_nothing(client: Client) -> None:
    async def parts() -> AsyncGenerator[Part, None]:
        yield Delta(text="a")
        raise RuntimeError("a secret")

    body = await client.receive_stream(parts())

    assert "a secret" not in body
    assert error_code(body) == "INTERNAL_ERROR"
    error = parse(body)[-1][1]["error"]
    assert (error["request_id"], error["details"]) == ("request-1", {})


async def test_comments_keep_an_idle_connection_open(client: Client) -> None:
    async def parts() -> AsyncGenerator[Part, None]:
        yield Delta(text="a")
        await client.pinged.wait()
        yield DONE

    body = await client.receive_stream(parts(), timing=StreamTiming(write_timeout=LONG, keepalive=SHORT))

    assert ": ping\n\n" in body
    assert [name for name, _ in parse(body)] == ["delta", "usage"]


async def test_a_disconnected_client_ends_the_answer(client: Client) -> None:
    closed, client.disconnected = asyncio.Event(), True

    with pytest.raises(ClientDisconnect):
        await client.receive_stream(endless(closed))

    assert closed.is_set()
    assert client.released == 1


async def test_a_client_that_does_not_read_ends_the_answer(client: Client) -> None:
    closed = asyncio.Event()
    client.reads.clear()

    with pytest.raises(ClientDisconnect):
        await client.receive_stream(endless(closed), timing=StreamTiming(write_timeout=SHORT))

    assert closed.is_set()
    assert client.released == 1


@pytest.mark.parametrize("parts", [endless, ceaseless])
async def test_an_answer_ends_at_its_deadline(client: Client, parts: Callable[[], AsyncGenerator[Part, None]]) -> None:
    assert error_code(await client.receive_stream(parts(), deadline=SHORT)) == "AI_TIMEOUT"
    assert client.released == 1


@pytest.mark.parametrize("parts", [endless, ceaseless])
async def test_deactivating_a_user_ends_the_stream(
    client: Client, parts: Callable[[], AsyncGenerator[Part, None]]
) -> None:
    timing = StreamTiming(write_timeout=LONG, access_check=SHORT)

    assert error_code(await client.receive_stream(parts(), active=False, timing=timing)) == "ACCOUNT_DEACTIVATED"
    assert client.released == 1


async def test_access_is_checked_every_few_seconds() -> None:
    timing = StreamTiming(write_timeout=LONG)

    assert timing.access_check <= 5
    assert timing.keepalive < 30
