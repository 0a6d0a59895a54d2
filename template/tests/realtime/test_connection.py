"""Subscriptions and events, and the ends of connections."""

import asyncio
import signal
from datetime import timedelta

import pytest

from app.auth.local import mint
from app.core.ports.realtime import Everyone, UserChannel
from app.realtime import limits, monitor, session
from tests.realtime.server import Site, opened

MALFORMED = (
    "",
    "null",
    "[]",
    "{}",
    '{"type":"unknown"}',
    '{"type":"subscribe"}',
    '{"type":"subscribe","channel":1}',
    '{"type":"subscribe","channel":"everyone","offset":1}',
    '{"type":"subscribe","channel":"everyone","epoch":"1"}',
    '{"type":"subscribe","channel":"everyone","offset":-1}',
    '{"type":"subscribe","channel":"everyone","offset":1e400}',
    "[" * 5000,
)


class TestChannels:
    async def test_a_published_event_arrives(self, site: Site) -> None:
        user_id, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.subscribe("user")
            await site.publish(UserChannel(user_id), {"type": "greeting", "text": "hello €"})
            event = await client.expect("event")

        assert event["event"] == {"type": "greeting", "text": "hello €"}
        assert (event["channel"], event["offset"]) == ("user", 1)

    async def test_a_users_events_reach_no_other_user(self, site: Site) -> None:
        user_id, _ = await site.user()
        _, others = await site.user("other@example.com")

        async with opened(site.url, others) as client:
            await client.subscribe("user")
            await client.subscribe("everyone")
            await site.publish(UserChannel(user_id), {"type": "secret"})
            await site.publish(Everyone(), {"type": "public"})

            assert (await client.expect("event"))["event"] == {"type": "public"}

    async def test_nothing_arrives_after_a_rollback(self, site: Site) -> None:
        _, headers = await site.user()

        async def publish_and_fail() -> None:
            async with site.runtime.database.transaction() as writing:
                await site.publish_in(writing, Everyone(), {"type": "lost"})
                raise ZeroDivisionError

        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            with pytest.raises(ZeroDivisionError):
                await publish_and_fail()
            await site.publish(Everyone(), {"type": "kept"})

            assert (await client.expect("event"))["event"] == {"type": "kept"}

    async def test_other_channels_are_refused_alike(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            for channel in ("room:1", "room:", "room:1:2", "user:1", "unknown", "channel:room:1", "room:\n"):
                await client.send(type="subscribe", channel=channel)
                refused = await client.expect("error")
                assert (refused["code"], refused["channel"]) == ("CHANNEL_FORBIDDEN", channel)

    async def test_who_loses_access_gets_no_more_events(self, site: Site) -> None:
        user_id, headers = await site.user()
        site.rooms.members["1"] = {user_id}

        async with opened(site.url, headers) as client:
            await client.subscribe("room:1")
            site.rooms.members["1"] = set()
            async with site.runtime.database.transaction() as writing:
                await site.runtime.realtime.recheck(writing, "room:1")
            ended = await client.expect("unsubscribed")
            await site.publish("room:1", {"type": "secret"})
            await client.send(type="ping")

            assert ended == {"type": "unsubscribed", "channel": "room:1", "reason": "forbidden"}
            await client.expect("pong")

    async def test_access_is_checked_regularly(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(monitor, "AUTHORIZE_INTERVAL", 0.0)
        user_id, headers = await site.user()
        site.rooms.members["1"] = {user_id}

        async with opened(site.url, headers) as client:
            await client.subscribe("room:1")
            site.rooms.members["1"] = set()

            assert (await client.expect("unsubscribed"))["reason"] == "forbidden"

    async def test_a_failed_authorization_is_repeated_and_holds_up_no_other(self, site: Site) -> None:
        user_id, headers = await site.user()
        site.rooms.members = {"1": {user_id}, "2": {user_id}}

        async with opened(site.url, headers) as client:
            await client.subscribe("room:1")
            await client.subscribe("room:2")
            site.rooms.members.clear()
            site.rooms.fails = True
            (one,) = site.hub.connections
            await site.hub.authorize(site.hub.subscriptions_of(one))
            assert len(site.hub.subscriptions_of(one)) == 2
            site.rooms.fails = False

            ended = [await client.expect("unsubscribed") for _ in range(2)]
            assert [each["channel"] for each in ended] == ["room:1", "room:2"]

    async def test_a_channel_can_be_left_and_entered_again(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            await client.send(type="subscribe", channel="everyone")
            assert (await client.expect("error"))["code"] == "ALREADY_SUBSCRIBED"
            await client.send(type="unsubscribe", channel="everyone")
            await client.send(type="unsubscribe", channel="everyone")
            assert (await client.expect("unsubscribed"))["reason"] == "requested"
            await client.subscribe("everyone")

    async def test_a_connection_has_a_limited_number_of_channels(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "MAX_CHANNELS", 1)
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.subscribe("everyone")
            await client.send(type="subscribe", channel="user")

            assert (await client.expect("error"))["code"] == "TOO_MANY_CHANNELS"


class TestMessages:
    async def test_malformed_messages_are_refused_and_the_connection_remains(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            for text in MALFORMED:
                await client.websocket.send(text)
                assert (await client.expect("error"))["code"] == "INVALID_MESSAGE"

    async def test_binary_messages_close_the_connection(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.websocket.send(b"{}")

            assert await client.closed() == 1003

    async def test_large_messages_close_the_connection(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.websocket.send("x" * (limits.MAX_MESSAGE_BYTES + 1))

            assert await client.closed() == 1009

    async def test_the_size_of_a_message_is_in_bytes(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.websocket.send("😀" * (limits.MAX_MESSAGE_BYTES // 4 + 1))

            assert await client.closed() == 1009

    async def test_too_many_messages_close_the_connection(self, site: Site) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            for _ in range(limits.MESSAGE_BURST + 50):
                await client.send(type="pong")

            assert await client.closed() == 1008


class TestHeartbeat:
    async def test_the_server_sends_pings(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(monitor, "HEARTBEAT_INTERVAL", 0.1)
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.expect("ping")

    async def test_a_silent_client_is_disconnected(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(monitor, "HEARTBEAT_TIMEOUT", 0.1)
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            assert await client.closed() == 4408


class TestToken:
    def token(self, site: Site, seconds: float, email: str = "user@example.com") -> str:
        return mint(site.runtime.settings, email=email, expires_in=timedelta(seconds=seconds))

    async def test_a_connection_ends_with_its_token(self, site: Site) -> None:
        await site.user()

        async with opened(site.url, {"Authorization": f"Bearer {self.token(site, 3)}"}) as client:
            notice = await client.expect("token_expiring")

            # Rounded.
            assert 0 <= notice["expires_in"] <= 3
            assert await client.closed() == 4401

    async def test_a_slow_authorization_does_not_extend_it(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(monitor, "AUTHORIZE_INTERVAL", 0.0)
        user_id, headers = await site.user()
        await site.user("other@example.com")
        site.rooms.members["1"] = {user_id}
        token = {"Authorization": f"Bearer {self.token(site, 3, 'other@example.com')}"}

        async with opened(site.url, headers) as client, opened(site.url, token) as other:
            await client.subscribe("room:1")
            site.rooms.hold.clear()
            async with asyncio.timeout(6):
                assert await other.closed() == 4401
            site.rooms.hold.set()

    async def test_a_new_token_continues_the_connection(self, site: Site) -> None:
        await site.user()

        async with opened(site.url, {"Authorization": f"Bearer {self.token(site, 3)}"}) as client:
            await client.expect("token_expiring")
            await client.send(type="authenticate", token=self.token(site, 3600))
            await client.expect("authenticated")
            expires_at = [each.expires_at for each in site.hub.connections]

        assert expires_at[0] is not None
        assert expires_at[0] > 1000

    @pytest.mark.parametrize("email", ["other@example.com", "unknown@example.com"])
    async def test_another_users_token_closes_the_connection(self, site: Site, email: str) -> None:
        _, headers = await site.user()
        await site.user("other@example.com")

        async with opened(site.url, headers) as client:
            await client.send(type="authenticate", token=self.token(site, 3600, email))

            assert await client.closed() == 4000

    @pytest.mark.parametrize("token", ["made.up.token", "x" * 9000])
    async def test_a_bad_token_closes_the_connection(self, site: Site, token: str) -> None:
        _, headers = await site.user()

        async with opened(site.url, headers) as client:
            await client.send(type="authenticate", token=token)

            assert await client.closed() == 4401


async def test_many_clients_connect_and_leave_at_once(site: Site) -> None:
    _, headers = await site.user()

    async def visit(number: int) -> None:
        async with opened(site.url, headers) as client:
            await client.subscribe("everyone" if number % 2 else "user")

    await asyncio.gather(*(visit(number) for number in range(limits.MAX_CONNECTIONS)))
    await site.until(lambda: not site.hub.connections)

    assert site.hub.followed == ()


async def test_a_server_that_stops_sends_its_clients_elsewhere(site: Site) -> None:
    _, headers = await site.user()

    async with opened(site.url, headers) as client:
        site.server.handle_exit(signal.SIGTERM, None)
        hint = await client.expect("reconnect")

        assert 0 <= hint["after"] <= limits.RECONNECT_SPREAD
        assert await client.closed() == 1012
