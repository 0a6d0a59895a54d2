"""Missed events of clients that reconnect, and presence."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from app.core.ports.memory_streams import MemoryStreams
from app.core.ports.realtime import Everyone
from app.core.ports.streams import Position
from tests.realtime.server import Site, opened


def numbered(first: int, count: int) -> list[dict[str, object]]:
    return [{"type": "number", "number": number} for number in range(first, first + count)]


class SlowLeave(MemoryStreams):
    """Streams to which a "leave" takes a while, as on a connection of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.arrives = asyncio.Event(), asyncio.Event()

    async def leave(self, room: str, members: Collection[str]) -> None:
        if room == "channel:lobby:1":
            self.sent.set()
            await self.arrives.wait()
        await super().leave(room, members)


class TestHistory:
    async def test_a_client_that_reconnects_gets_the_missed_events(self, site: Site) -> None:
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            await site.publish(Everyone(), *numbered(0, 2))
            await client.expect("event")
            last = await client.expect("event")
        await site.publish(Everyone(), *numbered(2, 3))

        async with opened(site.url, headers) as client:
            subscribed = await client.subscribe("everyone", after=last)
            await site.publish(Everyone(), *numbered(5, 1))
            events = [await client.expect("event") for _ in range(4)]

        assert (subscribed["offset"], subscribed["epoch"]) == (last["offset"], last["epoch"])
        assert [event["event"]["number"] for event in events] == [2, 3, 4, 5]
        assert [event["offset"] for event in events] == [3, 4, 5, 6]

    async def test_a_client_that_saw_no_event_misses_none(self, site: Site) -> None:
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            subscribed = await client.subscribe("everyone")
        await site.publish(Everyone(), *numbered(0, 1))

        async with opened(site.url, headers) as client:
            await client.subscribe("everyone", after=subscribed)
            assert (await client.expect("event"))["offset"] == 1

    async def test_events_that_are_gone_are_a_gap(self, site: Site) -> None:
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            subscribed = await client.subscribe("everyone")
        await site.publish(Everyone(), *numbered(0, site.retention.messages + 5))
        await site.relayed()

        async with opened(site.url, headers) as client:
            await client.subscribe("everyone", after=subscribed)
            gap = await client.expect("gap")
            await site.publish(Everyone(), {"type": "next"})
            event = await client.expect("event")

        assert gap["offset"] == site.retention.messages + 5
        assert event["offset"] == gap["offset"] + 1

    async def test_a_position_of_another_history_is_a_gap(self, site: Site) -> None:
        _, headers = await site.user()
        await site.publish(Everyone(), *numbered(0, 1))
        await site.relayed()

        async with opened(site.url, headers) as client:
            for offset, epoch in ((0, "1"), (1, "1"), (2**53 - 1, "9"), (1, "x"), (1, "-"), (0, "é")):
                await client.subscribe("everyone", after={"offset": offset, "epoch": epoch})
                assert (await client.expect("gap"))["offset"] == 1
                await client.send(type="unsubscribe", channel="everyone")
                await client.expect("unsubscribed")

    async def test_connected_clients_learn_that_the_history_was_lost(self, site: Site) -> None:
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            await site.publish(Everyone(), *numbered(0, 3))
            for _ in range(3):
                await client.expect("event")
            site.lose_history()
            await site.publish(Everyone(), *numbered(3, 1))

            assert (await client.expect("gap"))["offset"] == 1

    async def test_unheard_events_are_read(self, site: Site) -> None:
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            with site.deaf():
                await site.publish(Everyone(), *numbered(0, 3))
                await site.relayed()
            site.hub.interrupted()
            events = [await client.expect("event") for _ in range(3)]

        assert [event["offset"] for event in events] == [1, 2, 3]

    async def test_events_of_an_outage_arrive_after_it(self, site: Site) -> None:
        _, headers = await site.user()
        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            with site.outage():
                await site.publish(Everyone(), *numbered(0, 3))
                await client.send(type="subscribe", channel="user")
                assert (await client.expect("error"))["code"] == "SERVICE_UNAVAILABLE"
            events = [await client.expect("event") for _ in range(3)]

        assert [event["event"]["number"] for event in events] == [0, 1, 2]


class TestPresence:
    async def test_users_see_who_joins_and_leaves(self, site: Site) -> None:
        mine, headers = await site.user()
        theirs, others = await site.user("other@example.com")

        async with opened(site.url, headers) as client:
            await client.subscribe("lobby:1")
            assert (await client.expect("presence"))["present"] == [str(mine)]
            async with opened(site.url, others) as other:
                await other.subscribe("lobby:1")
                assert (await other.expect("presence"))["present"] == sorted([str(mine), str(theirs)])
                assert (await client.expect("presence"))["joined"] == [str(theirs)]
            assert (await client.expect("presence"))["left"] == [str(theirs)]

    async def test_a_second_connection_of_a_user_is_not_seen(self, site: Site) -> None:
        mine, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.subscribe("lobby:1")
            await client.expect("presence")
            async with opened(site.url, headers) as second:
                await second.subscribe("lobby:1")
                assert (await second.expect("presence"))["present"] == [str(mine)]
            await client.send(type="ping")
            await client.expect("pong")

    async def test_a_late_leave_does_not_end_the_presence_of_a_user_who_is_back(self, site: Site) -> None:
        site.streams.inner = streams = SlowLeave()
        mine, headers = await site.user()
        async with opened(site.url, headers) as client:
            await client.subscribe("lobby:1")
            await client.expect("presence")
        await streams.sent.wait()

        async with opened(site.url, headers) as client:
            await client.subscribe("lobby:1")
            followed = next(iter(site.hub.rooms))
            await site.until(lambda: str(mine) in followed.members)
            streams.arrives.set()
            await client.expect("presence")
            await client.send(type="ping")
            await client.expect("pong")
            present = await streams.members("channel:lobby:1")

        assert [member.partition(" ")[0] for member in present] == [str(mine)]

    async def test_users_of_a_killed_process_leave(self, site: Site) -> None:
        _, headers = await site.user()
        await site.runtime.streams.enter({"channel:lobby:1": ["killed process"]}, timedelta(hours=1))

        async with opened(site.url, headers) as client:
            await client.subscribe("lobby:1")
            assert "killed" in (await client.expect("presence"))["present"]
            await site.runtime.streams.enter({"channel:lobby:1": ["killed process"]}, timedelta())
            await site.renew()
            assert (await client.expect("presence"))["left"] == ["killed"]


async def test_positions_are_those_of_the_streams(site: Site) -> None:
    _, headers = await site.user()
    async with opened(site.url, headers) as client:
        subscribed = await client.subscribe("everyone")

    end = await site.runtime.streams.end("everyone", site.retention.lifetime)
    assert end == Position(subscribed["offset"], subscribed["epoch"])
