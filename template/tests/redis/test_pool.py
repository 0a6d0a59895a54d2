"""Connections whose callers are cut off at any moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import pytest
from redis.asyncio import Redis

from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError
from app.redis.connection import connect

ANSWER_TIMEOUT: Final = 5.0
CALLERS: Final = range(6)


class Slow:
    """A Redis that echoes keys, and lets whoever asks for the key `slow` wait until its end."""

    def __init__(self) -> None:
        self.port = 0
        self.open_circuit_breaker = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.open_circuit_breaker += 1
        while head := await reader.readline():
            words = [(await reader.readline(), await reader.readline())[1].strip() for _ in range(int(head[1:]))]
            if words[-1] == b"slow":
                self.asked.set()
                # Comes to an end when the other side hangs up.
                await reader.read()
                self.left.set()
                # Nobody may read this as the answer to something else.
                words[-1] = b"late"
            writer.write(b"+OK\r\n" if words[0] == b"CLIENT" else b"$%d\r\n%s\r\n" % (len(words[-1]), words[-1]))
        writer.close()


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    """The server."""
    made = Slow()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    # Not to the end of all connections: where one is left open, the test is to fail and not to wait.
    server.close()


@pytest.fixture
async def client(slow: Slow) -> AsyncIterator[Redis]:
    """A client of it, with two connections at most."""
    async with connect(f"redis://127.0.0.1:{slow.port}/0", timeout=ANSWER_TIMEOUT, max_connections=2) as made:
        yield made


class TestCutOff:
    async def test_the_connection_is_closed_at_once_and_nobody_gets_its_answer(self, slow: Slow, client: Redis) -> None:
        breaker = CircuitBreaker(client, timeout=0.05)
        with pytest.raises(RedisUnavailableError):
            await breaker.call(lambda: client.get("slow"))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await slow.left.wait()
            assert [await client.get(key) for key in ("one", "two")] == [b"one", b"two"]
        assert slow.open_circuit_breaker == 2
        await breaker.close()

    async def test_so_it_is_when_who_asks_is_cancelled(self, slow: Slow, client: Redis) -> None:
        asking = asyncio.ensure_future(client.get("slow"))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await slow.asked.wait()
            asking.cancel()
            await slow.left.wait()
            assert await asyncio.gather(*(client.get(str(key)) for key in CALLERS)) == [b"%d" % key for key in CALLERS]
        with suppress(asyncio.CancelledError):
            await asking

    async def test_whenever_it_is_the_others_get_their_answers_and_a_place(self, client: Redis) -> None:
        for turns in range(40):
            callers = [asyncio.ensure_future(client.get(str(key))) for key in CALLERS]
            for _ in range(turns):
                await asyncio.sleep(0)
            for caller in callers[::2]:
                caller.cancel()
            async with asyncio.timeout(ANSWER_TIMEOUT / 2):
                answers = await asyncio.gather(*callers[1::2])
                assert answers == [b"%d" % key for key in CALLERS[1::2]]
            await asyncio.wait(callers)


class TestDisconnect:
    async def test_closing_the_idle_ones_disturbs_nobody(self, client: Redis) -> None:
        for _ in range(10):
            await asyncio.gather(*(client.get(str(key)) for key in CALLERS))
            closing = client.connection_pool.disconnect(inuse_connections=False)
            answers = await asyncio.gather(closing, *(client.get(str(key)) for key in CALLERS))
            assert answers[1:] == [b"%d" % key for key in CALLERS]
