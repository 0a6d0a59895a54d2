"""Limits of confirmations."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.contact import recipients
from app.contact.models import ConfirmedRecipient
from app.contact.recipients import PERIOD, mailbox_of, may_be_confirmed
from app.core.db.models import utc_now

SECRET = SecretStr("s" * 64)


@pytest.mark.parametrize(
    ("email", "mailbox"),
    [
        ("Ada@Example.com", "ada@example.com"),
        ("a.d.a+spam+x@example.com", "ada@example.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("+x@example.com", "+x@example.com"),
        ("zoe\u0308@bücher.example", "zoë@bücher.example"),
    ],
)
def test_notations_of_a_mailbox_are_the_same(email: str, mailbox: str) -> None:
    assert mailbox_of(email) == mailbox


async def test_a_mailbox_is_confirmed_once_a_day(session: AsyncSession) -> None:
    assert await may_be_confirmed(session, SECRET, "ada@example.com")
    assert not await may_be_confirmed(session, SECRET, "ADA+1@example.com")
    assert await may_be_confirmed(session, SECRET, "bob@example.com")
    await session.execute(update(ConfirmedRecipient).values(confirmed_at=utc_now() - PERIOD + timedelta(minutes=1)))
    assert not await may_be_confirmed(session, SECRET, "ada@example.com")
    await session.execute(update(ConfirmedRecipient).values(confirmed_at=utc_now() - PERIOD))
    assert await may_be_confirmed(session, SECRET, "ada@example.com")


async def test_all_mailboxes_together_have_a_limit(session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipients, "MAX_PER_HOUR", 2)
    allowed = [await may_be_confirmed(session, SECRET, f"user{number}@example.com") for number in range(3)]
    assert allowed == [True, True, False]
