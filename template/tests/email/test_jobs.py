"""Emails that are sent through the queue."""

from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.auth.port import Identity
from app.core.ports.queue import JobFunction, Json, Queue
from app.core.runtime import Runtime
from app.email.jobs import send_notification_email, send_password_reset_email, send_welcome_email
from app.email.providers.console import ConsoleEmail, PrintedEmail
from app.email.subscribers import on_user_created
from app.users.events import UserCreated
from app.users.identities import create_user
from app.users.models import users
from tests.conftest import SignIn

NOTIFICATION: dict[str, Json] = {
    "title": "Your data export is ready",
    "text": "It contains everything.\n\nIt is kept for a week.",
    "url": "https://example.com/1",
}


@pytest.fixture
async def user_id(runtime: Runtime, queue: Queue, sign_in: SignIn) -> str:
    """A user who has already received the welcome email."""
    await sign_in(email="ada@example.com")
    await queue.drain()
    runtime.resource(ConsoleEmail).outbox.clear()
    async with runtime.database.reading() as session:
        return str(await session.scalar(select(users.c.id)))


async def run(runtime: Runtime, job: JobFunction, *args: Json) -> None:
    """Enqueue the job and run it."""
    async with runtime.database.transaction() as session:
        await runtime.queue.enqueue(session, job, *args)
    await runtime.queue.drain()


def outbox(runtime: Runtime) -> list[PrintedEmail]:
    """Return the printed emails."""
    return list(runtime.resource(ConsoleEmail).outbox)


class TestWelcome:
    async def test_has_one_key_per_user(self, runtime: Runtime, user_id: str) -> None:
        for _ in range(2):
            await run(runtime, send_welcome_email, user_id)

        assert {printed.key for printed in outbox(runtime)} == {f"welcome/{user_id}"}

    async def test_greets_the_user_by_name(self, runtime: Runtime, queue: Queue) -> None:
        identity = Identity(provider="test", subject="1", email="ada@example.com", name="Ada Lovelace")
        await create_user(runtime, identity)
        await queue.drain()

        assert ["Hello Ada Lovelace," in printed.message.text for printed in outbox(runtime)] == [True]

    async def test_is_not_sent_to_a_user_without_an_address(self, runtime: Runtime, queue: Queue) -> None:
        await create_user(runtime, Identity(provider="test", subject="1"))
        await queue.drain()

        assert outbox(runtime) == []

    async def test_is_sent_after_the_commit_of_the_event(self, runtime: Runtime, queue: Queue, user_id: str) -> None:
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

    async def test_is_enqueued_once_while_pending(self, runtime: Runtime, queue: Queue, user_id: str) -> None:
        event = UserCreated(user_id=UUID(user_id), email="ada@example.com", full_name=None)
        for _ in range(2):
            await on_user_created(runtime, event)
        await queue.drain()

        assert len(outbox(runtime)) == 1


class TestPasswordReset:
    async def test_contains_the_link(self, runtime: Runtime, user_id: str) -> None:
        await run(runtime, send_password_reset_email, user_id, "https://example.com/reset?token=1", 30)

        (printed,) = outbox(runtime)
        assert (printed.to, printed.message.subject) == ("ada@example.com", "Choose a new password for Test")
        assert "\nhttps://example.com/reset?token=1\n" in printed.message.text
        assert "30 minutes" in printed.message.text

    async def test_each_link_is_an_email_and_no_key_reveals_it(self, runtime: Runtime, user_id: str) -> None:
        for token in ("one", "two", "two"):
            await run(runtime, send_password_reset_email, user_id, f"https://example.com/?token={token}", 30)

        keys = [printed.key for printed in outbox(runtime)]
        assert (keys[0] != keys[1], keys[1] == keys[2]) == (True, True)
        assert "token" not in str(keys)


class TestNotification:
    async def test_contains_the_notification(self, runtime: Runtime, user_id: str) -> None:
        await run(runtime, send_notification_email, user_id, "export-1", {**NOTIFICATION, "label": "Download"})

        (printed,) = outbox(runtime)
        assert printed.message.subject == NOTIFICATION["title"]
        assert "Download: https://example.com/1" in printed.message.text
        assert printed.message.html is not None
        assert printed.message.html.count("<p ") == 3
        assert printed.key == f"notification/export-1/{user_id}"

    async def test_is_sent_to_the_current_address(self, runtime: Runtime, user_id: str) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(users).values(email="moved@example.com"))
        await run(runtime, send_notification_email, user_id, "export-1", NOTIFICATION)

        assert [printed.to for printed in outbox(runtime)] == ["moved@example.com"]

    async def test_is_not_sent_to_an_inactive_or_unknown_user(self, runtime: Runtime, user_id: str) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(users).values(is_active=False))
        await run(runtime, send_notification_email, user_id, "export-1", NOTIFICATION)
        await run(runtime, send_notification_email, str(UUID(int=0)), "export-1", NOTIFICATION)

        assert outbox(runtime) == []
