"""Mails that leave through the queue."""

from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.auth.port import Identity
from app.core.ports.queue import JobFunction, Json, Queue
from app.core.runtime import Runtime
from app.email.jobs import send_notification_email, send_password_reset_email, send_welcome_email
from app.email.providers.console import ConsoleEmail, Shown
from app.email.subscribers import on_user_created
from app.users.events import UserCreated
from app.users.identities import create_user
from app.users.models import users
from tests.conftest import SignIn

NEWS: dict[str, Json] = {
    "title": "Your export is ready",
    "text": "All of it.\n\nFor a week.",
    "url": "https://example.com/1",
}


@pytest.fixture
async def user_id(runtime: Runtime, queue: Queue, sign_in: SignIn) -> str:
    """Somebody who has been greeted."""
    await sign_in(email="ada@example.com")
    await queue.drain()
    runtime.resource(ConsoleEmail).outbox.clear()
    async with runtime.database.reading() as session:
        return str(await session.scalar(select(users.c.id)))


async def run(runtime: Runtime, job: JobFunction, *args: Json) -> None:
    """Queues the job and runs it."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, job, *args)
    await runtime.queue.drain()


def outbox(runtime: Runtime) -> list[Shown]:
    """What has been sent."""
    return list(runtime.resource(ConsoleEmail).outbox)


class TestWelcome:
    async def test_has_one_key_a_user(self, runtime: Runtime, user_id: str) -> None:
        for _ in range(2):
            await run(runtime, send_welcome_email, user_id)

        assert {shown.key for shown in outbox(runtime)} == {f"welcome/{user_id}"}

    async def test_greets_by_name(self, runtime: Runtime, queue: Queue) -> None:
        identity = Identity(provider="test", subject="1", email="ada@example.com", name="Ada Lovelace")
        await create_user(runtime, identity)
        await queue.drain()

        assert ["Hello Ada Lovelace," in shown.message.text for shown in outbox(runtime)] == [True]

    async def test_who_has_no_address_gets_none(self, runtime: Runtime, queue: Queue) -> None:
        await create_user(runtime, Identity(provider="test", subject="1"))
        await queue.drain()

        assert outbox(runtime) == []

    async def test_leaves_with_the_transaction_that_the_news_are_a_part_of(
        self, runtime: Runtime, queue: Queue, user_id: str
    ) -> None:
        event = UserCreated(user_id=UUID(user_id), email="ada@example.com", full_name=None)
        with suppress(LookupError):
            async with runtime.database.transaction() as session:
                await runtime.events.apply(session, event)
                raise LookupError
        await queue.drain()
        assert outbox(runtime) == []

        async with runtime.database.transaction() as session:
            await runtime.events.apply(session, event)
            assert outbox(runtime) == []
        await queue.drain()
        assert len(outbox(runtime)) == 1

    async def test_is_queued_once_while_it_waits(self, runtime: Runtime, queue: Queue, user_id: str) -> None:
        event = UserCreated(user_id=UUID(user_id), email="ada@example.com", full_name=None)
        for _ in range(2):
            await on_user_created(runtime, event)
        await queue.drain()

        assert len(outbox(runtime)) == 1


class TestPasswordReset:
    async def test_carries_the_link(self, runtime: Runtime, user_id: str) -> None:
        await run(runtime, send_password_reset_email, user_id, "https://example.com/reset?token=1", 30)

        (shown,) = outbox(runtime)
        assert (shown.to, shown.message.subject) == ("ada@example.com", "Choose a new password for Test")
        assert "\nhttps://example.com/reset?token=1\n" in shown.message.text
        assert "30 minutes" in shown.message.text

    async def test_each_link_is_a_mail_and_no_key_tells_it(self, runtime: Runtime, user_id: str) -> None:
        for token in ("one", "two", "two"):
            await run(runtime, send_password_reset_email, user_id, f"https://example.com/?token={token}", 30)

        keys = [shown.key for shown in outbox(runtime)]
        assert (keys[0] != keys[1], keys[1] == keys[2]) == (True, True)
        assert "token" not in str(keys)


class TestNotification:
    async def test_tells_the_news(self, runtime: Runtime, user_id: str) -> None:
        await run(runtime, send_notification_email, user_id, "export-1", {**NEWS, "label": "Download"})

        (shown,) = outbox(runtime)
        assert shown.message.subject == NEWS["title"]
        assert "Download: https://example.com/1" in shown.message.text
        assert shown.message.html is not None
        assert shown.message.html.count("<p ") == 3
        assert shown.key == f"notification/export-1/{user_id}"

    async def test_goes_to_the_address_of_the_day(self, runtime: Runtime, user_id: str) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(users).values(email="moved@example.com"))
        await run(runtime, send_notification_email, user_id, "export-1", NEWS)

        assert [shown.to for shown in outbox(runtime)] == ["moved@example.com"]

    async def test_nobody_gets_what_was_for_who_is_gone(self, runtime: Runtime, user_id: str) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(users).values(is_active=False))
        await run(runtime, send_notification_email, user_id, "export-1", NEWS)
        await run(runtime, send_notification_email, str(UUID(int=0)), "export-1", NEWS)

        assert outbox(runtime) == []
