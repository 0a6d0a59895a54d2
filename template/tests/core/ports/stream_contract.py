"""The contract that all streams satisfy."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.core.ports.streams import GapError, NewMessage, Position, Retention, StreamMessage, Streams

HOUR = timedelta(hours=1)
KEPT = Retention(messages=10, lifetime=HOUR)


class Follower:
    """A listener that keeps what it hears. See `StreamListener`."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, StreamMessage]] = []
        self.notes: list[tuple[str, str]] = []
        self.interruptions = 0
        self._heard = asyncio.Event()

    def received(self, stream: str, message: StreamMessage) -> None:
        self.messages.append((stream, message))
        self._heard.set()

    def noted(self, stream: str, note: str) -> None:
        self.notes.append((stream, note))
        self._heard.set()

    def interrupted(self) -> None:
        self.interruptions += 1
        self._heard.set()

    async def heard(self, *, messages: int = 0, notes: int = 0, interruptions: int = 0) -> None:
        """Return when so much has been heard."""
        async with asyncio.timeout(10):
            while len(self.messages) < messages or len(self.notes) < notes or self.interruptions < interruptions:
                self._heard.clear()
                await self._heard.wait()


def new(stream: str, *data: str) -> Sequence[NewMessage]:
    return [NewMessage(secrets.token_hex(8), stream, each) for each in data]


async def read(streams: Streams, stream: str, after: Position, limit: int = 100) -> list[str]:
    return [message.data for message in await streams.read(stream, after, limit)]


class StreamContract:
    """Tests of a pair of processes with the same streams; the pair may be one object."""

    @pytest.fixture
    def streams(self) -> Streams:
        """The streams of a process."""
        raise NotImplementedError

    @pytest.fixture
    def others(self) -> Streams:
        """The streams of another process."""
        raise NotImplementedError

    @pytest.fixture
    def stream(self) -> str:
        """A stream that is used for the first time."""
        return f"test {secrets.token_hex(8)}"

    async def test_messages_are_read_in_order(self, streams: Streams, stream: str) -> None:
        start = await streams.end(stream, HOUR)
        await streams.append(new(stream, "one", "two"), KEPT)
        await streams.append(new(stream, "three"), KEPT)

        messages = await streams.read(stream, start, 100)

        assert [message.data for message in messages] == ["one", "two", "three"]
        assert [message.position.offset for message in messages] == [1, 2, 3]
        assert [message.previous for message in messages] == [start, *(each.position for each in messages[:2])]
        assert await streams.end(stream, HOUR) == messages[-1].position

    async def test_pages_continue(self, streams: Streams, stream: str) -> None:
        start = await streams.end(stream, HOUR)
        await streams.append(new(stream, *"abcde"), KEPT)

        page = await streams.read(stream, start, 2)

        assert [message.data for message in page] == ["a", "b"]
        assert await read(streams, stream, page[-1].position) == ["c", "d", "e"]

    async def test_a_repeated_message_is_dropped(self, streams: Streams, stream: str) -> None:
        start = await streams.end(stream, HOUR)
        messages = new(stream, "one", "two")

        await streams.append(messages, KEPT)
        await streams.append(messages, KEPT)

        assert await read(streams, stream, start) == ["one", "two"]

    async def test_only_the_latest_messages_are_kept(self, streams: Streams, stream: str) -> None:
        start = await streams.end(stream, HOUR)
        await streams.append(new(stream, "first"), KEPT)
        first = (await streams.read(stream, start, 1))[0].position
        await streams.append(new(stream, *(str(number) for number in range(KEPT.messages))), KEPT)

        assert await read(streams, stream, first) == [str(number) for number in range(KEPT.messages)]
        with pytest.raises(GapError):
            await streams.read(stream, start, 1)

    @pytest.mark.parametrize("epoch", ["1", "x", "", "-", "1\n", "9" * 30])
    async def test_a_position_of_another_history_is_a_gap(self, streams: Streams, stream: str, epoch: str) -> None:
        await streams.append(new(stream, "one"), KEPT)

        for offset in (0, 1, 2):
            with pytest.raises(GapError):
                await streams.read(stream, Position(offset, epoch), 1)

    async def test_a_stream_that_does_not_exist_is_a_gap(self, streams: Streams, stream: str) -> None:
        with pytest.raises(GapError):
            await streams.read(stream, Position(0, "1"), 1)

    async def test_an_expired_stream_begins_anew(self, streams: Streams, stream: str) -> None:
        start = await streams.end(stream, timedelta(milliseconds=1))
        await asyncio.sleep(0.01)

        again = await streams.end(stream, HOUR)

        assert again.offset == 0
        assert again != start

    async def test_a_touched_stream_is_kept(self, streams: Streams, stream: str) -> None:
        start = await streams.end(stream, timedelta(milliseconds=200))
        await streams.touch([stream], HOUR)
        await asyncio.sleep(0.25)

        assert await streams.end(stream, HOUR) == start

    async def test_followers_hear_messages_in_order(self, streams: Streams, others: Streams, stream: str) -> None:
        follower = Follower()
        await streams.follow(stream, follower)
        end = await streams.end(stream, HOUR)

        await others.append(new(stream, "one", "two", "drei €"), KEPT)
        await follower.heard(messages=3)

        assert [(name, message.data) for name, message in follower.messages] == [
            (stream, data) for data in ("one", "two", "drei €")
        ]
        assert [message for _, message in follower.messages] == await others.read(stream, end, 100)

    async def test_notes_are_heard_and_not_kept(self, streams: Streams, others: Streams, stream: str) -> None:
        follower = Follower()
        start = await streams.end(stream, HOUR)
        await streams.follow(stream, follower)

        await others.note(stream, "a note")
        await follower.heard(notes=1)

        assert follower.notes == [(stream, "a note")]
        assert await read(streams, stream, start) == []

    async def test_who_stops_following_hears_nothing(self, streams: Streams, others: Streams, stream: str) -> None:
        left, remaining = Follower(), Follower()
        await streams.follow(stream, left)
        await streams.follow(stream, remaining)
        await streams.unfollow(stream, left)

        await others.append(new(stream, "one"), KEPT)
        await remaining.heard(messages=1)

        assert left.messages == []

    async def test_members_come_and_go(self, streams: Streams, others: Streams, stream: str) -> None:
        await streams.enter({stream: ["one", "two"]}, HOUR)
        await others.enter({stream: ["three"]}, HOUR)
        await others.leave(stream, ["one", "unknown"])

        assert sorted(await streams.members(stream)) == ["three", "two"]

    async def test_a_member_that_does_not_renew_leaves(self, streams: Streams, stream: str) -> None:
        await streams.enter({stream: ["killed"]}, timedelta(milliseconds=1))
        await streams.enter({stream: ["alive"], f"{stream}:2": ["other"]}, HOUR)
        assert list(await streams.members(f"{stream}:2")) == ["other"]
        await asyncio.sleep(0.01)

        assert list(await streams.members(stream)) == ["alive"]
        await streams.leave(stream, ["alive"])
        assert list(await streams.members(stream)) == []

    async def test_a_hundred_at_once_get_one_order(self, streams: Streams, others: Streams, stream: str) -> None:
        start = await streams.end(stream, HOUR)
        kept = Retention(messages=1000, lifetime=HOUR)

        await asyncio.gather(*(each.append(new(stream, f"{n}"), kept) for n in range(50) for each in (streams, others)))

        messages = await streams.read(stream, start, 1000)
        assert [message.position.offset for message in messages] == list(range(1, 101))
