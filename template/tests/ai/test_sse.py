"""An answer as a stream of events."""

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal

import pytest
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.types import Message, Scope

from app.ai.port import Completion, Delta, Finish, Part
from app.ai.service import StartedAnswer
from app.ai.sse import EventStream
from app.core.context import SCOPE_KEY, RequestContext
from tests.ai.requests import parse

DONE = Completion(provider="p", model="m", text="a", finish=Finish.STOP, usage=None, cost=Decimal("0.000015"))


async def send(parts: AsyncGenerator[Part, None], *, fails: bool = False, pinged: asyncio.Event | None = None) -> str:
    """What a client gets that stays; with `fails`, one whose connection is gone. A comment sets `pinged`."""
    sent: list[bytes] = []

    async def keep(message: Message) -> None:
        if fails and message["type"] == "http.response.body":
            raise OSError
        if pinged is not None and message.get("body") == KEEPALIVE_COMMENT:
            pinged.set()
        sent.append(message.get("body", b""))

    async def stay() -> Message:
        raise AssertionError("newer servers are not asked whether the client is there")

    scope: Scope = {"type": "http", "asgi": {"spec_version": "2.4"}, SCOPE_KEY: RequestContext("request-1")}
    begun = StartedAnswer(await anext(parts), parts)
    await EventStream(begun, silence=0.01 if pinged else 60)(scope, stay, keep)
    return b"".join(sent).decode()


async def test_line_breaks_in_a_text_are_none_of_the_stream() -> None:
    text = "a\nb\r\nc\rd\u2028e\n\ndata: x"

    async def parts() -> AsyncGenerator[Part, None]:
        yield Delta(text=text)
        yield DONE

    assert parse(await send(parts())) == [
        ("delta", {"text": text}),
        (
            "usage",
            {"provider": "p", "model": "m", "text": "a", "finish": "stop", "usage": None, "cost": 0.000015},
        ),
    ]


async def test_what_nobody_expected_is_told_without_a_word_of_it() -> None:
    async def parts() -> AsyncGenerator[Part, None]:
        yield Delta(text="a")
        raise RuntimeError("a secret")

    sent = await send(parts())

    assert "a secret" not in sent
    assert parse(sent)[-1][0] == "error"
    error = parse(sent)[-1][1]["error"]
    assert (error["code"], error["request_id"], error["details"]) == ("INTERNAL_ERROR", "request-1", {})


async def test_silence_is_filled_with_comments() -> None:

    pinged = asyncio.Event()

    async def parts() -> AsyncGenerator[Part, None]:
        yield Delta(text="a")
        await pinged.wait()
        yield DONE

    sent = await send(parts(), pinged=pinged)

    assert ": ping\n\n" in sent
    assert [name for name, _ in parse(sent)] == ["delta", "usage"]


async def test_whatever_ends_it_closes_the_answer() -> None:
    closed: list[bool] = []

    async def parts() -> AsyncGenerator[Part, None]:
        try:
            yield Delta(text="a")
            yield DONE
        finally:
            closed.append(True)

    with pytest.raises(Exception, match=r"^$"):
        await send(parts(), fails=True)
    assert closed == [True]
