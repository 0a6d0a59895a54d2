"""The contact form with a mail sender that keeps its emails, and without the minimum age of a form."""

import time
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.contact.form_token import new_form_token
from app.contact.models import ContactDelivery, ContactMessage
from app.contact.settings import ContactSettings
from app.core.ports.mail import Mail, MailRejectedError
from app.core.runtime import Runtime

CONTACT = "/api/v1/public/contact"
ADMIN = "/api/v1/admin/contact"
TEAM = "team@example.com"
ADA = {"name": "Ada", "email": "ada@example.com", "message": "Do you have a plan for schools?"}


class Outbox:
    """A mail sender that keeps its emails.

    Attributes:
        failures: the errors of the next emails.
    """

    is_available = True

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failures: list[Exception] = []

    async def send(self, mail: Mail) -> None:
        """Keep the email."""
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(mail)

    @property
    def recipients(self) -> list[str]:
        """The recipients of all emails, sorted."""
        return sorted(mail.to for mail in self.sent)


@pytest.fixture(autouse=True)
def contact_settings(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG001 - the order matters
    """Notifications are sent, and the rate is not limited."""
    monkeypatch.setenv("ADMIN_EMAIL", TEAM)
    monkeypatch.setenv("CONTACT_RATE_LIMIT", "off")


@pytest.fixture
def outbox(runtime: Runtime) -> Outbox:
    """The emails that the application sends."""
    return keep_mail(runtime)


def keep_mail(runtime: Runtime) -> Outbox:
    """Replace the mail sender of a runtime."""
    outbox = Outbox()
    runtime.mail = outbox
    return outbox


def configure(runtime: Runtime, **values: object) -> None:
    """Change settings of the contact form."""
    runtime.provide(ContactSettings, runtime.resource(ContactSettings).model_copy(update=values))


def filled_form(runtime: Runtime, *, age: float = 60, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the body of a request that sends a form, which was opened `age` seconds ago."""
    return {**ADA, "form_token": new_form_token(runtime.settings.SECRET_KEY, now=time.time() - age), **fields}


async def send(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    """Send a form. Return the id of the message."""
    answer = await client.post(CONTACT, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json().keys() == {"id"}
    return str(answer.json()["id"])


async def messages(session: AsyncSession) -> list[ContactMessage]:
    """Return all messages, the oldest first."""
    return list(await session.scalars(select(ContactMessage).order_by(col(ContactMessage.id))))


async def deliveries(runtime: Runtime) -> dict[str, str]:
    """Return the state of every delivery by its kind. There is one message."""
    async with runtime.database.reading() as session:
        rows = await session.execute(select(col(ContactDelivery.kind), col(ContactDelivery.state)))
        return {kind.value: state.value for kind, state in rows}


REJECTED = MailRejectedError("INVALID_ADDRESS")
