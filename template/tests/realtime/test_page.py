"""The examples of docs/realtime.md work. The template's own tests run the client in a browser."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.manifest import Module
from app.core.ports.realtime import ChannelUser, UserChannel
from app.core.runtime import Runtime
from app.realtime.channels import Channels
from tests.pages import run_examples
from tests.realtime.server import Site, opened


async def test_the_examples_work(site: Site) -> None:
    user_id, headers = await site.user()

    async def rooms_of(_runtime: Runtime, member: UUID) -> set[str]:
        return {"42"} if member == user_id else set()

    names: dict[str, Any] = {
        "AsyncSession": AsyncSession,
        "ChannelUser": ChannelUser,
        "Mapping": Mapping,
        "Module": Module,
        "Runtime": Runtime,
        "UUID": UUID,
        "rooms_of": rooms_of,
    }
    assert run_examples("realtime.md", names) == 2
    site.runtime.provide(Channels, Channels(names["module"].channels))

    async with opened(site.url, headers) as client:
        await client.subscribe("user")
        await client.subscribe("everyone")
        async with site.runtime.database.transaction() as session:
            await names["complete_order"](site.runtime, session, user_id)
        events = [(await client.expect("event"))["event"] for _ in range(2)]
        await site.publish(UserChannel(uuid4()), {"type": "another user's"})
        await client.subscribe("room:42")
        await client.expect("presence")

    assert events == [{"type": "order.completed"}, {"type": "stock.changed", "left": 3}]
