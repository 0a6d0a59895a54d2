"""Connections: credentials, subscriptions and events."""

import pytest

from app.core.ports.realtime import Everyone, UserChannel
from tests.realtime.server import Site, opened


async def test_a_published_event_arrives(site: Site) -> None:
    user_id, headers = await site.user()

    async with opened(site.url, headers) as client:
        await client.subscribe("user")
        await site.publish(UserChannel(user_id), {"type": "greeting", "text": "hello"})

        event = await client.expect("event")

    assert event["event"] == {"type": "greeting", "text": "hello"}
    assert (event["channel"], event["offset"]) == ("user", 1)


async def test_nothing_arrives_after_a_rollback(site: Site) -> None:
    _, headers = await site.user()

    async with opened(site.url, headers) as client:
        await client.subscribe("everyone")
        with pytest.raises(ZeroDivisionError):
            async with site.runtime.database.transaction() as session:
                await site.publish_in(session, Everyone(), {"type": "lost"})
                raise ZeroDivisionError
        await site.publish(Everyone(), {"type": "kept"})

        assert (await client.expect("event"))["event"] == {"type": "kept"}
