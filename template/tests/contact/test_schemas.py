"""The fields of a message."""

import pytest
from pydantic import ValidationError

from app.contact.models import MESSAGE_LENGTH
from app.contact.schemas import ContactSubmit
from tests.contact.conftest import ADA


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Ada\r\nBcc: victim@example.com"),
        ("name", "\u200b"),
        ("name", "x" * 201),
        ("email", "ada@example.com\nBcc: victim@example.com"),
        ("email", "ada@example.com, victim@example.com"),
        ("email", "not an address"),
        ("subject", "Hello\nBcc: victim@example.com"),
        ("subject", "\u202egnp.exe"),
        ("subject", ""),
        ("phone", "call me"),
        ("company", "a\0b"),
        ("message", ""),
        ("message", " \n\u200b "),
        ("message", "x" * (MESSAGE_LENGTH + 1)),
        ("message", "a\0b"),
        ("message", "a" + "\u0301" * 31),
        ("extra_fields", {"a": {"b": 1}}),
        ("extra_fields", {"a": [1]}),
        ("extra_fields", {"a": None}),
        ("extra_fields", {"a b": 1}),
        ("extra_fields", {"": 1}),
        ("extra_fields", {"a\n": 1}),
        ("extra_fields", {"x" * 51: 1}),
        ("extra_fields", {"a": 10**400}),
        ("extra_fields", {"a": "x" * 1001}),
        ("extra_fields", {"a": "\0"}),
        ("extra_fields", {f"f{number}": 1 for number in range(21)}),
        ("extra_fields", [1]),
        ("source", {"utm_id": "x"}),
        ("source", {"utm_source": 7}),
        ("form_token", "x" * 1000),
        ("website", "x" * 1001),
        ("state", "answered"),
        ("id", "0197c0de-0000-7000-8000-000000000000"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_bad_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        ContactSubmit.model_validate({**ADA, "form_token": "x", field: value})
    assert {error["loc"][0] for error in raised.value.errors()} == {field}


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://example.com/a?secret=1#x", "https://example.com/a"),
        ("http://user:password@example.com:8080", "http://example.com:8080"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://example.com/" + "x" * 5000, ("https://example.com/" + "x" * 5000)[:300]),
        ("https://example.com:99999/", ""),
        ("https://[::1/", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//example.com", ""),
        ("https:///path", ""),
        ("", ""),
    ],
    ids=lambda text: text[:30],
)
def test_the_url_of_a_page_is_stored_without_its_query(url: str, stored: str) -> None:
    body = {**ADA, "form_token": "x", "source": {"referrer": url, "utm_term": f" {url}"}}
    assert ContactSubmit.model_validate(body).source.referrer == stored
