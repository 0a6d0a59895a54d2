"""Slow readers, and the limit of connections."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta

import pytest

from app.core.ports.memory_streams import MemoryStreams
from app.core.ports.realtime import Everyone
from app.realtime import close_codes, connection, monitor
from tests.realtime.server import Site, opened


class SlowEnter(MemoryStreams):
    """Streams that an "enter" reaches only while `arrives` is set.

    Attributes:
        entered: the rooms of each call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.arrives = asyncio.Event(), asyncio.Event()
        self.arrives.set()
        self.entered: list[Mapping[str, Collection[str]]] = []

    async def enter(self, rooms: Mapping[str, Collection[str]], lifetime: timedelta) -> None:
        self.entered.append(rooms)
        if not self.arrives.is_set():
            self.sent.set()
            await self.arrives.wait()
        await super().enter(rooms, lifetime)


class TestSlowReader:
    async def test_is_closed_and_others_get_every_event(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "MAX_QUEUED_BYTES", 64 * 1024)
        _, headers = await site.user()
        _, others = await site.user("other@example.com")
        event = {"type": "large", "text": "x" * 60_000}

        async with opened(site.url, headers) as slow, opened(site.url, others) as quick:
            await slow.subscribe("everyone")
            await quick.subscribe("everyone")
            slow.websocket.transport.pause_reading()
            sent = 0
            while not any(each.is_closing for each in site.hub.connections):
                await site.publish(Everyone(), *[event] * 10)
                for _ in range(10):
                    sent += 1
                    assert (await quick.expect("event"))["offset"] == sent
            slow.websocket.transport.resume_reading()

            assert await slow.closed() == 1013

    async def test_the_bytes_of_a_text_count_and_not_its_characters(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "ü" * 100
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            (one,) = site.hub.connections
            arrives = asyncio.Event()

            async def blocked(_: object) -> None:
                await arrives.wait()

            monkeypatch.setattr(one, "_server_send", blocked)
            monkeypatch.setattr(connection, "MAX_QUEUED_BYTES", 2 * len(text))
            one.push(connection.frame_of("taken by the server"))
            one.push(connection.frame_of(text))
            assert not one.is_closing
            one.push(connection.frame_of("a"))
            assert one.is_closing
            arrives.set()

            assert await client.closed() == 1013


class TestCount:
    async def test_connections_are_renewed_in_one_call_for_each_batch(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(monitor, "RENEWED_AT_ONCE", 2)
        site.streams.inner = streams = SlowEnter()
        user_id, headers = await site.user()
        async with opened(site.url, headers), opened(site.url, headers), opened(site.url, headers):
            streams.entered.clear()
            await site.renew()

            assert [len(call[connection.room_of(user_id)]) for call in streams.entered] == [2, 1]

    async def test_a_renewal_does_not_revive_a_closed_connection(self, site: Site) -> None:
        site.streams.inner = streams = SlowEnter()
        _, headers = await site.user()
        other, others = await site.user("other@example.com")
        async with opened(site.url, headers):
            async with opened(site.url, others):
                streams.arrives.clear()
                renewal = asyncio.create_task(site.renew())
                await streams.sent.wait()
            await site.until(lambda: len(site.hub.connections) == 1)
            await asyncio.sleep(0.1)
            streams.arrives.set()
            await renewal

            assert not await streams.members(connection.room_of(other))

    async def test_a_connection_that_fails_while_it_is_closed_is_not_counted(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user_id, headers = await site.user()

        async def fail(*_: object) -> None:
            await asyncio.sleep(0.2)
            raise RuntimeError

        async with opened(site.url, headers) as client:
            (one,) = site.hub.connections
            monkeypatch.setattr(one._websocket, "close", fail)  # noqa: SLF001 - the connection is broken
            one.close(close_codes.TOO_SLOW)
            client.websocket.transport.abort()
            await site.until(lambda: not site.hub.connections)
            await one.end()
            await asyncio.sleep(0.1)

        assert not one.was_cut
        assert not await site.runtime.streams.members(connection.room_of(user_id))
