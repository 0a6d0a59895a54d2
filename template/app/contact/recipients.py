"""Limits of confirmation emails. Anyone can enter another person's address, so they must be useless for spam.

A confirmation contains no text from the form. Each mailbox receives at most one a day, and all mailboxes together
receive at most `MAX_PER_HOUR` an hour.
"""

import hashlib
import hmac
from datetime import timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.contact.models import ConfirmedRecipient
from app.core.db.database import insert_on
from app.core.db.models import utc_now
from app.kit.derived_key import derived_key
from app.kit.types.email_address import email_key

PERIOD: Final = timedelta(days=1)
MAX_PER_HOUR: Final = 200
"""Confirmations to all mailboxes together. Concurrent requests may exceed it by their number."""
_SAME_DOMAINS: Final = {"googlemail.com": "gmail.com"}


async def may_be_confirmed(session: AsyncSession, secret: SecretStr, email: str) -> bool:
    """Return whether a confirmation may be sent to an address now, and count it. Of concurrent calls, one succeeds."""
    now = utc_now()
    sent_at = col(ConfirmedRecipient.confirmed_at)
    last_hour = select(func.count()).where(sent_at > now - timedelta(hours=1))
    if (await session.scalars(last_hour)).one() >= MAX_PER_HOUR:
        return False
    insert = insert_on(session)(ConfirmedRecipient).values(recipient=_pseudonym(secret, email), confirmed_at=now)
    statement = insert.on_conflict_do_update(
        index_elements=("recipient",), set_={"confirmed_at": now}, where=sent_at <= now - PERIOD
    ).returning(sent_at)
    return (await session.execute(statement)).first() is not None


def mailbox_of(email: str) -> str:
    """Return an address without the parts that most providers ignore: `+tag`, and dots before the `@`.

    If a provider does not ignore them, two mailboxes count as one, and only one of them receives a confirmation.
    """
    local, _, domain = email_key(email).rpartition("@")
    name = local.partition("+")[0].replace(".", "")
    return f"{name or local}@{_SAME_DOMAINS.get(domain, domain)}"


def _pseudonym(secret: SecretStr, email: str) -> str:
    key = derived_key(secret, "recipients of contact confirmations")
    return hmac.new(key, mailbox_of(email).encode(), hashlib.sha256).hexdigest()
