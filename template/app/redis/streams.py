"""Streams that all processes share: a Redis stream for each history, and a publication for each message."""

import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from app.core.ports.streams import (
    GapError,
    NewMessage,
    Position,
    Retention,
    StreamListener,
    StreamMessage,
    StreamsUnavailableError,
)
from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError
from app.redis.subscriber import Subscriber, parse_position

DEDUPLICATION: Final = timedelta(minutes=5)
_EPOCH: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
EPOCH_BITS: Final = 52

# The id of an entry is `offset-epoch`, so that an offset finds its entry, and an entry of a lost history is recognised
# even if the new history has become longer. A stream begins with a mark at offset 0.

# Returns nothing. An id that was appended in the last minutes is a duplicate. The publication has the previous id, the
# own id and the data.
APPEND: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
    return
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[6])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
local latest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local previous = latest and latest[1] or '0-' .. ARGV[4]
if not latest then
    redis.call('XADD', KEYS[1], previous, 'data', '')
end
local offset = tonumber(string.match(previous, '^%d+')) + 1
local id = string.format('%d', offset) .. '-' .. ARGV[3]
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[5], id, 'data', ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[7]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
end
redis.call('PUBLISH', KEYS[1], 'm' .. previous .. ' ' .. id .. ' ' .. ARGV[2])
"""

# Returns the latest id. A stream that does not exist gets its mark.
END: Final = """
local latest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not latest then
    redis.call('XADD', KEYS[1], '0-' .. ARGV[1], 'data', '')
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return latest and latest[1] or '0-' .. ARGV[1]
"""

# A sorted set of members by expiry, by Redis's own clock.
ENTER: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for index = 2, #ARGV do
    redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[index])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""

MEMBERS: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class RedisStreams:
    """See `Streams`."""

    def __init__(self, breaker: CircuitBreaker, subscriber: Subscriber) -> None:
        self._breaker = breaker
        self._subscriber = subscriber
        client = breaker.client
        self._append = client.register_script(APPEND)
        self._end = client.register_script(END)
        self._enter = client.register_script(ENTER)
        self._members = client.register_script(MEMBERS)

    async def append(self, messages: Sequence[NewMessage], retention: Retention) -> None:
        """See `Streams.append`."""
        calls = [_append_call(message, retention) for message in messages]

        async def send() -> None:
            # In one round trip, and in order.
            async with self._breaker.client.pipeline(transaction=False) as pipeline:
                for keys, arguments in calls:
                    await self._append(keys, arguments, pipeline)
                await pipeline.execute()

        await self._call((lambda: self._append(*calls[0])) if len(calls) == 1 else send)

    async def read(self, stream: str, after: Position, limit: int) -> Sequence[StreamMessage]:
        """See `Streams.read`."""
        if not _EPOCH.fullmatch(after.epoch):
            raise GapError
        first = f"{after.offset}-{after.epoch}"
        entries = await self._call(lambda: self._breaker.client.xrange(_key(stream), first, "+", count=limit + 1))
        if not entries or entries[0][0] != first.encode():
            raise GapError
        messages = []
        previous = after
        for id_, fields in entries[1:]:
            position = parse_position(id_.decode())
            messages.append(StreamMessage(position, previous, fields[b"data"].decode()))
            previous = position
        return messages

    async def end(self, stream: str, lifetime: timedelta) -> Position:
        """See `Streams.end`."""
        arguments: list[str | int] = [_new_epoch(), _milliseconds(lifetime)]
        return parse_position((await self._call(lambda: self._end([_key(stream)], arguments))).decode())

    async def touch(self, streams: Collection[str], lifetime: timedelta) -> None:
        """See `Streams.touch`."""

        async def send() -> None:
            async with self._breaker.client.pipeline(transaction=False) as pipeline:
                for stream in streams:
                    pipeline.pexpire(_key(stream), _milliseconds(lifetime), gt=True)
                await pipeline.execute()

        if streams:
            await self._call(send)

    async def follow(self, stream: str, listener: StreamListener) -> None:
        """See `Streams.follow`."""
        await self._subscriber.add(stream, _key(stream), listener)

    async def unfollow(self, stream: str, listener: StreamListener) -> None:
        """See `Streams.unfollow`."""
        await self._subscriber.remove(stream, _key(stream), listener)

    async def note(self, stream: str, note: str) -> None:
        """See `Streams.note`."""
        await self._call(lambda: self._breaker.client.publish(_key(stream), f"n{note}"))

    async def enter(self, rooms: Mapping[str, Collection[str]], lifetime: timedelta) -> None:
        """See `Streams.enter`."""

        async def send() -> None:
            async with self._breaker.client.pipeline(transaction=False) as pipeline:
                for room, members in rooms.items():
                    await self._enter([_room(room)], [_milliseconds(lifetime), *members], pipeline)
                await pipeline.execute()

        if rooms:
            await self._call(send)

    async def leave(self, room: str, members: Collection[str]) -> None:
        """See `Streams.leave`."""
        await self._call(lambda: self._breaker.client.zrem(_room(room), *members))

    async def members(self, room: str) -> Collection[str]:
        """See `Streams.members`."""
        return [member.decode() for member in await self._call(lambda: self._members([_room(room)], []))]

    async def _call(self, command: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - redis-py's
        try:
            return await self._breaker.call(command)
        except RedisUnavailableError as error:
            raise StreamsUnavailableError from error


def _append_call(message: NewMessage, retention: Retention) -> tuple[list[str], list[str | int]]:
    """Return the keys and the arguments of `APPEND`."""
    key = _key(message.stream)
    arguments: list[str | int] = [
        message.id,
        message.data,
        _new_epoch(),
        _new_epoch(),
        # One more than are delivered: whoever has the first one can read the others.
        retention.messages + 1,
        _milliseconds(DEDUPLICATION),
        _milliseconds(retention.lifetime),
    ]
    return [key, f"{key}:ids"], arguments


def _key(stream: str) -> str:
    # With braces, which keep a stream's keys on one node of a cluster.
    return f"stream:{{{stream}}}"


def _room(room: str) -> str:
    return f"room:{room}"


def _new_epoch() -> int:
    return secrets.randbits(EPOCH_BITS) + 1


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
