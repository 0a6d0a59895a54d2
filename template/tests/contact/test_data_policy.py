"""Export, erasure and retention of messages, and the numbers in the daily report."""

import json
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from app.contact.data_policy import KEEP_SPAM
from app.contact.models import ConfirmedRecipient, ContactDelivery, ContactMessage, MessageState
from app.core.data_policy.daily_report import make_report
from app.core.data_policy.personal_data import export_user
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.users.erasure import erase_user
from app.users.models import users
from tests.conftest import ME, SignIn
from tests.contact.conftest import Outbox, configure, filled_form, send


@pytest.fixture
async def sender(client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, outbox: Outbox) -> UUID:
    """A user who has sent a message, before which a stranger has sent one."""
    assert outbox.is_available
    await send(client, filled_form(runtime, name="Stranger", email="stranger@example.com"))
    await send(client, filled_form(runtime, name="Ada", email="Ada@Example.com"))
    return UUID((await client.get(ME, headers=await sign_in(email="ada@example.com"))).json()["id"])


async def names(runtime: Runtime) -> set[str]:
    """Return the names of all senders."""
    async with runtime.database.reading() as session:
        return set(await session.scalars(select(col(ContactMessage.name))))


async def exported(runtime: Runtime, user_id: UUID) -> list[str]:
    """Return the names in an export of the user's messages."""
    document = json.loads(b"".join([piece async for piece in export_user(runtime, user_id)]))
    return [row["name"] for row in document["tables"]["contact_messages"]]


async def test_a_users_own_messages_are_exported_and_erased(runtime: Runtime, sender: UUID) -> None:
    assert await exported(runtime, sender) == ["Ada"]
    await erase_user(runtime, sender)
    assert await names(runtime) == {"Stranger"}
    async with runtime.database.reading() as session:
        # Those of the stranger.
        assert await session.scalar(select(func.count()).select_from(ContactDelivery)) == 2


async def test_an_address_that_is_not_verified_opens_no_messages(runtime: Runtime, sender: UUID) -> None:
    async with runtime.database.transaction() as session:
        await session.execute(update(users).where(users.c.id == sender).values(email_verified=False))
    assert await exported(runtime, sender) == []
    await erase_user(runtime, sender)
    assert await names(runtime) == {"Stranger", "Ada"}


@pytest.mark.parametrize(
    ("state", "age", "is_kept"),
    [
        (MessageState.NEW, timedelta(days=99), True),
        (MessageState.ANSWERED, timedelta(days=101), False),
        (MessageState.SPAM, KEEP_SPAM - timedelta(days=1), True),
        (MessageState.SPAM, KEEP_SPAM + timedelta(days=1), False),
    ],
    ids=str,
)
async def test_messages_expire(
    runtime: Runtime, sender: UUID, state: MessageState, age: timedelta, *, is_kept: bool
) -> None:
    assert sender
    configure(runtime, CONTACT_KEEP_DAYS=100)
    async with runtime.database.transaction() as session:
        values = {"state": state, "created_at": utc_now() - age}
        await session.execute(update(ContactMessage).where(col(ContactMessage.name) == "Ada").values(values))
    await cleanup_old_data(runtime)
    assert await names(runtime) == ({"Stranger", "Ada"} if is_kept else {"Stranger"})


async def test_recipients_of_confirmations_are_forgotten_after_a_day(runtime: Runtime, sender: UUID) -> None:
    assert sender
    async with runtime.database.transaction() as session:
        (first, _) = await session.scalars(select(ConfirmedRecipient).order_by(col(ConfirmedRecipient.confirmed_at)))
        assert "@" not in first.recipient
        first.confirmed_at = utc_now() - timedelta(hours=25)
    await cleanup_old_data(runtime)
    async with runtime.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(ConfirmedRecipient)) == 1


async def test_the_daily_report_counts(client: httpx.AsyncClient, runtime: Runtime, sender: UUID) -> None:
    assert sender
    await send(client, filled_form(runtime, age=0))
    report = await make_report(runtime, utc_now().date())
    counts = {name: count for name, count in report.metrics.items() if name.startswith("contact_")}
    assert counts == {"contact_messages": 2, "contact_spam": 1, "contact_unanswered": 2}
