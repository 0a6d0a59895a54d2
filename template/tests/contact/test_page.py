"""The examples of docs/contact.md."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import SecretStr

from app.contact import delivery, recipients, schemas, service
from app.contact.data_policy import KEEP_SPAM
from app.contact.form_token import MAX_AGE
from app.contact.models import MESSAGE_LENGTH, NAME_LENGTH, ContactMessage
from app.contact.schemas import ContactSubmit
from app.contact.webhook import payload_of
from app.kit.webhook_signatures import WebhookSigner
from tests.pages import FOLDER, run_examples

PAGE = (FOLDER / "contact.md").read_text(encoding="utf-8")


class Fields(HTMLParser):
    """The fields of a form, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str | None]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a field."""
        if tag in {"input", "textarea"}:
            self.fields[dict(attrs)["name"] or ""] = dict(attrs)


def block(language: str) -> str:
    """Return the only example in a language."""
    (text,) = (part.partition("\n```")[0] for part in PAGE.split(f"```{language}\n")[1:])
    return text


def test_the_form_has_the_fields_of_a_message() -> None:
    form = Fields()
    form.feed(block("html"))
    own = {name: field for name, field in form.fields.items() if "data-extra" not in field}
    assert own.keys() == ContactSubmit.model_fields.keys() - {"form_token", "extra_fields", "source"}
    assert {name for name, field in own.items() if "required" in field} == {"name", "email", "message"}
    assert own["name"]["maxlength"] == own["subject"]["maxlength"] == str(NAME_LENGTH)
    assert own["message"]["maxlength"] == str(MESSAGE_LENGTH)
    assert own["website"]["tabindex"] == "-1"


def test_the_webhook_looks_like_the_example() -> None:
    example: dict[str, Any] = json.loads(block("json"))
    data = example["data"]
    message = ContactMessage.model_validate(
        {
            **{name: value for name, value in data.items() if name != "consent"},
            "form_id": data["id"],
            "email_key": data["email"],
            "created_at": example["timestamp"],
            "consent_version": data["consent"]["version"],
            "consent_at": data["consent"]["at"],
        }
    )
    assert payload_of(message) == example


def test_a_webhook_can_be_verified() -> None:
    names: dict[str, Any] = {}
    assert run_examples("contact.md", names) == 1
    headers = WebhookSigner([SecretStr("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")]).sign("contact_1", b"{}")
    assert names["verify"](headers, b"{}") == "contact_1"
    with pytest.raises(ValueError, match="signature"):
        names["verify"](headers, b"[]")


def test_the_page_names_the_limits() -> None:
    texts = (
        f"valid for {MAX_AGE.total_seconds() / 3600:.0f} hours",
        f"within {service.MIN_AGE.seconds} seconds",
        f"up to {schemas.MAX_EXTRA_FIELDS} fields",
        f"cut at {schemas.SOURCE_LENGTH} characters",
        f"stored for {KEEP_SPAM.days} days",
        f"get {recipients.MAX_PER_HOUR} an hour",
        f"{delivery.MAX_ATTEMPTS} attempts, after {delivery.FIRST_RETRY_DELAY.seconds} seconds",
        f"every {delivery.MAX_RETRY_DELAY.total_seconds() / 3600:.0f} hours",
    )
    assert [text for text in texts if text not in PAGE] == []
