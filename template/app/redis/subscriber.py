"""The process's one connection for publications. It reconnects, and reports that it did."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from app.core.ports.streams import Position, StreamListener, StreamMessage, StreamsUnavailableError
from app.redis.connection import TIMEOUT

logger = structlog.stdlib.get_logger(__name__)

PING_INTERVAL: Final = 2.0
"""Seconds of silence after which the server is asked whether it is alive, and then is taken for dead."""
RECONNECT_DELAY: Final = 0.25
SUBSCRIBE_AT_ONCE: Final = 500

type _Listeners = dict[StreamListener, str]
"""The name of the stream for each listener."""


class Subscriber:
    """A connection that is opened when the first stream is followed.

    redis-py's own class reconnects in whichever task notices first; here, only one task reads and reconnects.

    Args:
        client: of a pool of its own. Close it after the subscriber.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._wanted: dict[str, _Listeners] = {}
        self._confirmed: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._connection: AbstractConnection | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._was_connected = False

    async def add(self, stream: str, key: str, listener: StreamListener) -> None:
        """Follow a stream. Returns when the server has confirmed it.

        Raises:
            StreamsUnavailableError: it did not in time.
        """
        self._wanted.setdefault(key, {})[listener] = stream
        if self._task is None:
            self._task = asyncio.create_task(self._run(), context=Context())
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._connected.wait()
                await self._confirm(key)
        except BaseException as error:
            self._forget(key, listener)
            if isinstance(error, RedisError | OSError | TimeoutError):
                raise StreamsUnavailableError from error
            raise

    async def remove(self, stream: str, key: str, listener: StreamListener) -> None:
        """Stop following a stream. Without a connection, there is nothing to do."""
        if self._wanted.get(key, {}).get(listener) == stream and self._forget(key, listener):
            with suppress(RedisError, OSError, TimeoutError):
                await self._send("UNSUBSCRIBE", key)

    async def close(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _forget(self, key: str, listener: StreamListener) -> bool:
        """Remove a listener. Return whether it was the last one."""
        listeners = self._wanted.get(key, {})
        listeners.pop(listener, None)
        if listeners:
            return False
        self._wanted.pop(key, None)
        self._confirmed.discard(key)
        return True

    async def _confirm(self, key: str) -> None:
        if key in self._confirmed:
            return
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            await self._send("SUBSCRIBE", key)
        await asyncio.wait({future})
        future.result()

    async def _send(self, command: str, *keys: str) -> None:
        if self._connection is not None:
            await self._connection.send_command(command, *keys, check_health=False)

    async def _run(self) -> None:
        while True:
            connection: AbstractConnection = self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await self._read(connection)
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("redis_subscriptions_lost", error=type(error).__name__)
            except Exception:
                logger.exception("redis_subscriber_failed")
            finally:
                self._lose()
                with suppress(RedisError, OSError):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(RECONNECT_DELAY)

    async def _read(self, connection: AbstractConnection) -> None:
        async with asyncio.timeout(TIMEOUT):
            await connection.connect()  # type: ignore[no-untyped-call]
        self._connection = connection
        keys = list(self._wanted)
        unconfirmed = set(keys)
        for start in range(0, len(keys), SUBSCRIBE_AT_ONCE):
            await self._send("SUBSCRIBE", *keys[start : start + SUBSCRIBE_AT_ONCE])
        asked = False
        if not keys:
            self._back()
        while True:
            response = await connection.read_response(timeout=PING_INTERVAL)
            if response is None:
                if asked:
                    raise TimeoutError
                asked = True
                await self._send("PING")
                continue
            asked = False
            confirmed = self._handle(response)
            if confirmed is not None and unconfirmed:
                unconfirmed.discard(confirmed)
                if not unconfirmed:
                    self._back()

    def _back(self) -> None:
        """Report that everything is followed, and that something may have been missed."""
        self._connected.set()
        listeners = {listener for each in self._wanted.values() for listener in each}
        if self._was_connected:
            logger.info("redis_subscriptions_back")
            for listener in listeners:
                listener.interrupted()
        self._was_connected = True

    def _lose(self) -> None:
        self._connection = None
        self._connected.clear()
        self._confirmed.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(TimeoutError())
                future.exception()  # Marks it as retrieved: its waiter may be gone.
        self._waiting.clear()

    def _handle(self, response: list[Any]) -> str | None:
        """Handle one message of the server. Return the key of a confirmed subscription."""
        match response:
            case [b"message", bytes(key), bytes(data)]:
                self._report(key.decode(), data.decode())
            case [b"subscribe", bytes(key), *_]:
                name = key.decode()
                self._confirmed.add(name)
                if (future := self._waiting.pop(name, None)) is not None and not future.done():
                    future.set_result(None)
                return name
        return None

    def _report(self, key: str, text: str) -> None:
        listeners = self._wanted.get(key, {})
        if text.startswith("n"):
            for listener, stream in tuple(listeners.items()):
                listener.noted(stream, text[1:])
            return
        message = parse_publication(text[1:])
        for listener, stream in tuple(listeners.items()):
            listener.received(stream, message)


@asynccontextmanager
async def open_subscriber(client: Redis) -> AsyncIterator[Subscriber]:
    """Open a subscriber for the length of the block."""
    subscriber = Subscriber(client)
    try:
        yield subscriber
    finally:
        await subscriber.close()


def parse_publication(text: str) -> StreamMessage:
    """Return the message of a publication: the previous id, its own id, and the data.

    Raises:
        ValueError: it is malformed.
    """
    previous, position, data = text.split(" ", 2)
    return StreamMessage(parse_position(position), parse_position(previous), data)


def parse_position(id_: str) -> Position:
    """Return the position in the id of an entry, `offset-epoch`."""
    offset, _, epoch = id_.partition("-")
    return Position(int(offset), epoch)
