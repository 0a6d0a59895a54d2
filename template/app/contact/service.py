"""Reception of the contact form's messages."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.contact.errors import FormAlreadySentError, FormExpiredError
from app.contact.form_token import Form, InvalidTokenError, read_form_token
from app.contact.models import ContactMessage, MessageState, SpamReason
from app.contact.planning import plan_deliveries
from app.contact.schemas import ContactSubmit
from app.contact.settings import ContactSettings
from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.kit.types.email_address import email_key

MIN_AGE: Final = timedelta(seconds=3)
"""A form that is sent sooner was filled in by a program."""
_CONTENT: Final = ("name", "email", "phone", "company", "subject", "message", "extra_fields")


def required_fields(settings: ContactSettings) -> list[str]:
    """Return the names of the fields that a message must have."""
    optional = {
        "subject": settings.CONTACT_REQUIRE_SUBJECT,
        "phone": settings.CONTACT_REQUIRE_PHONE,
        "consent": bool(settings.CONTACT_CONSENT_VERSION),
    }
    return ["name", "email", "message", *(name for name, required in optional.items() if required)]


async def submit(runtime: Runtime, session: AsyncSession, data: ContactSubmit) -> UUID:
    """Store a message and plan its emails and its webhook, as part of the session's transaction.

    Spam is stored as well, with the same response, so that programs learn nothing.

    Returns:
        The id of the message. It is the same if the message was received before.

    Raises:
        RequestValidationError: a required field is missing, or the consent is to another text.
        FormExpiredError: the token is not valid.
        FormAlreadySentError: another message was sent with the token.
    """
    settings = runtime.resource(ContactSettings)
    _check_required(settings, data)
    try:
        form = read_form_token(runtime.settings.secret_keys, data.form_token)
    except InvalidTokenError:
        raise FormExpiredError from None
    message = _message(settings, data, form)
    if not await insert_if_absent(session, ContactMessage, message.model_dump(), unique=("form_id",)):
        return await _received_before(session, message)
    if message.state is not MessageState.SPAM:
        await plan_deliveries(runtime, session, message)
    return message.id


def _check_required(settings: ContactSettings, data: ContactSubmit) -> None:
    missing = [name for name in required_fields(settings) if getattr(data, name) is None]
    problems = [{"type": "missing", "loc": ("body", name), "msg": "Field required", "input": None} for name in missing]
    version = settings.CONTACT_CONSENT_VERSION
    if version and data.consent is not None and data.consent != version:
        message = f"Value error, must be {version}, the version of the current consent text"
        problems.append({"type": "value_error", "loc": ("body", "consent"), "msg": message, "input": None})
    if problems:
        raise RequestValidationError(problems)


def _message(settings: ContactSettings, data: ContactSubmit, form: Form) -> ContactMessage:
    now, reason = utc_now(), _spam_reason(data, form)
    consented = bool(settings.CONTACT_CONSENT_VERSION)
    return ContactMessage(
        id=uuid7(),
        created_at=now,
        updated_at=now,
        form_id=form.id,
        **data.model_dump(include=set(_CONTENT)),
        email_key=email_key(data.email),
        source=data.source.known,
        consent_version=data.consent if consented else None,
        consent_at=now if consented else None,
        state=MessageState.NEW if reason is None else MessageState.SPAM,
        spam_reason=reason,
    )


def _spam_reason(data: ContactSubmit, form: Form) -> SpamReason | None:
    if data.website.strip():
        return SpamReason.HONEYPOT
    return SpamReason.TOO_FAST if form.age < MIN_AGE else None


async def _received_before(session: AsyncSession, message: ContactMessage) -> UUID:
    statement = select(ContactMessage).where(col(ContactMessage.form_id) == message.form_id)
    stored = (await session.scalars(statement)).one()
    if any(getattr(stored, name) != getattr(message, name) for name in _CONTENT):
        raise FormAlreadySentError
    return stored.id
