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
    """A Redis that echoes keys; a request for the key `slow` waits until the end of the test."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
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
    async def test_the_connection_is_closed_and_its_reply_is_lost(self, slow: Slow, client: Redis) -> None:
        breaker = CircuitBreaker(client, timeout=0.05)
        with pytest.raises(RedisUnavailableError):
            await breaker.call(lambda: client.get("slow"))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await slow.left.wait()
            assert [await client.get(key) for key in ("one", "two")] == [b"one", b"two"]
        assert slow.connections == 2
        await breaker.close()

    async def test_a_cancelled_call_closes_the_connection(self, slow: Slow, client: Redis) -> None:
        asking = asyncio.ensure_future(client.get("slow"))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await slow.asked.wait()
            asking.cancel()
            await slow.left.wait()
            assert await asyncio.gather(*(client.get(str(key)) for key in CALLERS)) == [b"%d" % key for key in CALLERS]
        with suppress(asyncio.CancelledError):
            await asking

    async def test_other_calls_get_their_replies_and_a_connection(self, client: Redis) -> None:
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


class TestUnsentCommand:
    async def test_is_dropped_with_its_connection(self) -> None:
        size, received = 30_000_000, 0
        may_read, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Answer the handshake, and then read nothing until the client has given up."""
            nonlocal received
            while (line := await reader.readline()) and line != b"SET\r\n":
                if line == b"SETINFO\r\n":
                    writer.write(b"+OK\r\n")
            await may_read.wait()
            with suppress(ConnectionResetError):
                while data := await reader.read(2**16):
                    received += len(data)
            closed.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with connect(f"redis://127.0.0.1:{port}/0", timeout=ANSWER_TIMEOUT) as client:
            breaker = CircuitBreaker(client, timeout=0.2)
            with pytest.raises(RedisUnavailableError):
                await breaker.call(lambda: client.set("key", b"x" * size))
            may_read.set()
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await closed.wait()
            await breaker.close()
        server.close()

        # What the kernel had taken may still arrive; the rest was given up at once.
        assert received < size


class TestDisconnect:
    async def test_closing_idle_connections_does_not_affect_others(self, client: Redis) -> None:
        for _ in range(10):
            await asyncio.gather(*(client.get(str(key)) for key in CALLERS))
            closing = client.connection_pool.disconnect(inuse_connections=False)
            answers = await asyncio.gather(closing, *(client.get(str(key)) for key in CALLERS))
            assert answers[1:] == [b"%d" % key for key in CALLERS]
