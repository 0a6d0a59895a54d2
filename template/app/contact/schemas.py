"""Request and response bodies of the contact form."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, StringConstraints

from app.contact.form_token import TOKEN_LENGTH
from app.contact.models import (
    CONSENT_LENGTH,
    MESSAGE_LENGTH,
    NAME_LENGTH,
    DeliveryState,
    MessageState,
    SpamReason,
)
from app.core.db.pagination import ListQuery
from app.kit.text import Line, Paragraphs, SearchText
from app.kit.timestamp import Timestamp
from app.kit.types.email_address import Email
from app.kit.types.phone_number import PhoneNumber
from app.kit.urls import HTTP_SCHEMES

MAX_EXTRA_FIELDS: Final = 20
EXTRA_KEY_LENGTH: Final = 50
EXTRA_TEXT_LENGTH: Final = 1000
MAX_EXTRA_NUMBER: Final = 2**53 - 1
"""Larger integers become floating-point numbers, as in JavaScript (RFC 8259 §6)."""
SOURCE_LENGTH: Final = 300
SOURCE_LIMIT: Final = 8192
"""Maximum length of a value before it is cut: that of a long URL."""
HONEYPOT_LENGTH: Final = 1000
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def _visible(value: str) -> str:
    if all(unicodedata.category(character)[0] in "CZ" for character in value):
        raise ValueError("must contain a visible character")
    return value


def _shortened(value: str) -> str:
    """Return the beginning of a value that people do not type, which is no reason to refuse their message."""
    return _UNPRINTABLE.sub(" ", value[:SOURCE_LENGTH]).strip()


def _page(value: str) -> str:
    """Return the URL of a page without its query, which may contain secrets and personal data."""
    try:
        parts = urlsplit(_UNPRINTABLE.sub("", value[: 4 * SOURCE_LENGTH]))
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in HTTP_SCHEMES or not host:
        return ""
    authority = f"[{host}]{port}" if ":" in host else f"{host}{port}"
    return urlunsplit((parts.scheme, authority, parts.path, "", ""))[:SOURCE_LENGTH]


Name = Annotated[str, Line(max_length=NAME_LENGTH)]
ExtraKey = Annotated[str, StringConstraints(min_length=1, max_length=EXTRA_KEY_LENGTH, pattern="^[A-Za-z0-9_.-]+$")]
ExtraNumber = Annotated[StrictInt, Field(ge=-MAX_EXTRA_NUMBER, le=MAX_EXTRA_NUMBER)]
ExtraText = Annotated[str, Paragraphs(max_length=EXTRA_TEXT_LENGTH)]
ExtraFields = Annotated[
    dict[ExtraKey, StrictBool | ExtraNumber | FiniteFloat | ExtraText], Field(max_length=MAX_EXTRA_FIELDS)
]
Campaign = Annotated[str, Field(max_length=SOURCE_LIMIT), AfterValidator(_shortened)]
PageUrl = Annotated[str, Field(max_length=SOURCE_LIMIT), AfterValidator(_page)]


class Source(BaseModel):
    """The visitor's campaign and pages. Long values are cut, and URLs are stored without their query."""

    model_config = ConfigDict(extra="forbid")

    utm_source: Campaign = ""
    utm_medium: Campaign = ""
    utm_campaign: Campaign = ""
    utm_term: Campaign = ""
    utm_content: Campaign = ""
    referrer: PageUrl = Field(default="", description="The page before: `document.referrer`.")
    page: PageUrl = Field(default="", description="The page with the form: `location.href`.")

    @property
    def known(self) -> dict[str, object]:
        """The values that are not empty."""
        return {name: value for name, value in self.model_dump().items() if value}


class ContactSubmit(BaseModel):
    """A message of a visitor."""

    model_config = ConfigDict(extra="forbid")

    form_token: str = Field(
        max_length=4 * TOKEN_LENGTH,
        description="From `GET /public/contact/status`. Valid for 24 hours, for one message.",
    )
    name: Name
    email: Email
    message: Annotated[str, Paragraphs(max_length=MESSAGE_LENGTH), AfterValidator(_visible)]
    subject: Name | None = Field(default=None, description="Required if CONTACT_REQUIRE_SUBJECT is set.")
    phone: PhoneNumber | None = Field(default=None, description="Required if CONTACT_REQUIRE_PHONE is set.")
    company: Name | None = None
    extra_fields: ExtraFields = Field(
        default_factory=dict, description="Fields of your own form.", examples=[{"team_size": 12, "newsletter": True}]
    )
    consent: str | None = Field(
        default=None,
        max_length=CONSENT_LENGTH,
        description="The version of the text that the sender agreed to. Required if CONTACT_CONSENT_VERSION is set.",
    )
    source: Source = Field(default_factory=Source)
    website: str = Field(default="", max_length=HONEYPOT_LENGTH, description="Leave this field empty, and hide it.")


class ContactReceived(BaseModel):
    """The acknowledgement of a message."""

    id: UUID = Field(description="Identifies the message, for questions about it.")


class ContactStatus(BaseModel):
    """The required fields and the token of a form."""

    form_token: str = Field(description="Send it with the message. Valid for 24 hours, for one message.")
    required: list[str] = Field(
        description="The fields that a message must have.", examples=[["name", "email", "message"]]
    )
    consent_version: str | None = Field(
        description="The version of the consent text that the form must show. Null if no consent is required."
    )


class ContactQuery(ListQuery):
    """The query of the list of messages."""

    state: MessageState | None = Field(default=None, description="Only messages in this state.")
    created_after: Timestamp | None = Field(default=None, description="Only messages received after this time.")
    created_before: Timestamp | None = Field(default=None, description="Only messages received before this time.")
    search: SearchText | None = Field(
        default=None, description="Part of a name, an email address, a company, a subject or a message."
    )
    sort: Literal["created_at", "-created_at"] | None = None


class ContactMessageRead(BaseModel):
    """A message, as an administrator sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    state: MessageState
    spam_reason: SpamReason | None = Field(description="Why the form took the message for spam.")
    name: str
    email: str
    phone: str | None
    company: str | None
    subject: str | None
    message: str
    extra_fields: dict[str, object]
    source: dict[str, object]
    consent_version: str | None
    consent_at: datetime | None
    answered_at: datetime | None
    created_at: datetime
    updated_at: datetime
    notification: DeliveryState | None = Field(description="The email to ADMIN_EMAIL. Null if none is sent.")
    confirmation: DeliveryState | None = Field(description="The email to the sender. Null if none is sent.")
    webhook: DeliveryState | None = Field(description="The webhook to the CRM. Null if none is sent.")


class ContactMessageUpdate(BaseModel):
    """A change of a message's state."""

    model_config = ConfigDict(extra="forbid")

    state: MessageState
