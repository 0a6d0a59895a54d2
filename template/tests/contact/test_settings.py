"""The settings of the contact form."""

import pytest

from app.contact.settings import ContactSettings
from app.core.config.settings import ConfigurationError, load_settings

URL = "https://crm.example.com/leads"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


def problems() -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_settings([ContactSettings])
    return "\n".join(raised.value.problems)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ADMIN_EMAIL", "team", "ADMIN_EMAIL must be an email address"),
        ("ADMIN_EMAIL", "a@example.com, b@example.com", "ADMIN_EMAIL must be an email address"),
        ("CONTACT_RATE_LIMIT", "5", "CONTACT_RATE_LIMIT must be a number of requests per time"),
        ("CONTACT_WEBHOOK_URL", "crm.example.com", "CONTACT_WEBHOOK_URL must be a URL"),
        ("CONTACT_WEBHOOK_URL", "http://crm.example.com", "CONTACT_WEBHOOK_URL must start with https://"),
        ("CONTACT_WEBHOOK_URL", "https://10.0.0.1", "CONTACT_WEBHOOK_URL must be a URL on the public internet"),
        ("CONTACT_WEBHOOK_URL", "https://me:pw@crm.example.com", "CONTACT_WEBHOOK_URL must be a URL"),
        ("CONTACT_WEBHOOK_URL", URL, "CONTACT_WEBHOOK_URL needs CONTACT_WEBHOOK_SECRET"),
        ("CONTACT_WEBHOOK_SECRET", "secret", "CONTACT_WEBHOOK_SECRET must be whsec_"),
        ("CONTACT_WEBHOOK_SECRET", f"{SECRET},", "CONTACT_WEBHOOK_SECRET must be whsec_"),
        ("CONTACT_CONSENT_VERSION", "version 1", "CONTACT_CONSENT_VERSION should match pattern"),
        ("CONTACT_KEEP_DAYS", "0", "CONTACT_KEEP_DAYS should be greater"),
    ],
)
def test_a_bad_value_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str) -> None:
    monkeypatch.setenv(name, value)
    assert problem in problems()


def test_a_webhook_may_go_to_this_machine_only_in_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACT_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("CONTACT_WEBHOOK_URL", "http://127.0.0.1:9000/leads")
    assert ContactSettings().CONTACT_WEBHOOK_URL == "http://127.0.0.1:9000/leads"
    monkeypatch.setenv("ENVIRONMENT", "staging")
    assert "CONTACT_WEBHOOK_URL must start with https://" in problems()


def test_a_secret_can_be_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACT_WEBHOOK_SECRET", f"whsec_{'A' * 32}, {SECRET}")
    monkeypatch.setenv("CONTACT_WEBHOOK_URL", URL)
    headers = ContactSettings().webhook_signer.sign("contact_1", b"{}")
    assert len(headers["webhook-signature"].split(" ")) == 2
