"""Calls to providers, independent of their API."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.ai.errors import AIRateLimitedError, AIRefusedError, AIUnavailableError
from app.ai.transport import Fault, Transport, Wire, open_client
from tests.ai.conftest import ATTEMPTS
from tests.fakes.llm import Asked, Fails, FakeLLM, Hangs, Json, Says, Sends, serving_llm

PATIENCE = timedelta(seconds=30)
NO_PATIENCE = timedelta(milliseconds=250)


class Word(Wire):
    """A response of the server."""

    word: str


class Plain:
    """An API whose responses are one word."""

    def understand(self, method: str, path: str, headers: Mapping[str, str], body: Json) -> Asked:
        """See `Dialect.understand`."""
        assert (method, path, headers["x-key"]) == ("POST", "/v1/words", "k")
        return Asked(
            model="", system=None, turns=[], max_tokens=1, search=False, stream=body.get("stream", False), key=None
        )

    def whole(self, asked: Asked, says: Says) -> Json:
        """See `Dialect.whole`."""
        assert not asked.stream
        return {"word": says.text, "more": 1}

    def events(self, asked: Asked, says: Says) -> Sequence[str]:
        """See `Dialect.events`."""
        assert asked.stream
        return [f"data: {json.dumps({'word': text})}\n\n" for text in ("first", *says.texts)]

    def broken(self) -> str:
        """See `Dialect.broken`."""
        return "data: {}\n\n"

    def failure(self, fails: Fails) -> tuple[int, Json]:
        """See `Dialect.failure`."""
        return int(fails.kind), {"code": "it said: what you asked"}


def read_fault(status: int, content: bytes) -> Fault:
    """Treat the whole body as the provider's error code."""
    return Fault(status=status, code=content.decode())


@pytest.fixture
async def server() -> AsyncIterator[FakeLLM]:
    """A server."""
    async with serving_llm(Plain()) as served:
        yield served


@pytest.fixture
async def transport(server: FakeLLM) -> AsyncIterator[Transport]:
    """A transport."""
    async with open_client(f"{server.url}/v1", {"x-key": "k"}, PATIENCE) as client:
        yield Transport("test", client, PATIENCE, read_fault)


@pytest.fixture
async def hasty(server: FakeLLM) -> AsyncIterator[Transport]:
    """A transport with a short timeout."""
    async with open_client(f"{server.url}/v1", {"x-key": "k"}, NO_PATIENCE) as client:
        yield Transport("test", client, NO_PATIENCE, read_fault)


async def ask(transport: Transport, *, stream: bool) -> list[str]:
    """Return the words of the answer."""
    if not stream:
        return [(await transport.post("words", {}, Word)).word]
    async with aclosing(transport.events("words", {"stream": True}, Word)) as events:
        return [event.word async for event in events]


async def test_yields_the_events(transport: Transport, server: FakeLLM) -> None:
    server.will(Says(texts=("a", "b")))

    assert await ask(transport, stream=False) == ["ab"]
    assert await ask(transport, stream=True) == ["first", "a", "b"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_timeout_is_retried_until_the_last_attempt(
    hasty: Transport,
    server: FakeLLM,
    stream: bool,  # noqa: FBT001
) -> None:
    server.will(Hangs())
    with pytest.raises(AIUnavailableError):
        await ask(hasty, stream=stream)

    assert len(server.asked) == ATTEMPTS


async def test_a_stream_without_data_times_out(hasty: Transport, server: FakeLLM) -> None:
    server.will(Says(hold=server.never))
    with pytest.raises(AIUnavailableError):
        await ask(hasty, stream=True)

    await server.left.wait()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, (AIRefusedError, 1)),
        (401, (AIUnavailableError, 1)),
        (402, (AIUnavailableError, 1)),
        (403, (AIUnavailableError, 1)),
        (404, (AIUnavailableError, 1)),
        (408, (AIUnavailableError, ATTEMPTS)),
        (413, (AIRefusedError, 1)),
        (422, (AIRefusedError, 1)),
        (429, (AIRateLimitedError, ATTEMPTS)),
        (500, (AIUnavailableError, ATTEMPTS)),
        (529, (AIUnavailableError, ATTEMPTS)),
    ],
)
async def test_a_status_has_a_meaning(
    transport: Transport,
    server: FakeLLM,
    status: int,
    outcome: tuple[type[Exception], int],
    stream: bool,  # noqa: FBT001
) -> None:
    expected, asked = outcome
    server.will(Fails(kind=str(status)))
    with capture_logs() as logs, pytest.raises(expected):
        await ask(transport, stream=stream)

    assert len(server.asked) == asked
    # Only what looks like a word of the provider's is told.
    assert [
        (log["event"], log["provider_status"], log["code"]) for log in logs if log["event"] == "ai_provider_refused"
    ] == [("ai_provider_refused", status, None)] * asked


async def test_a_redirect_is_not_an_answer(transport: Transport, server: FakeLLM) -> None:
    server.will(Sends(status=302, body=b"moved"))
    with pytest.raises(AIRefusedError) as caught:
        await ask(transport, stream=False)
    assert caught.value.details == {"provider": "test", "reason": "moved"}


async def test_the_circuit_closes_again_when_streams_work(transport: Transport, server: FakeLLM) -> None:
    for _ in range(3):
        server.will(Fails(kind="500"), Fails(kind="500"), Says())
        assert await ask(transport, stream=True) == ["first", *Says().texts]
