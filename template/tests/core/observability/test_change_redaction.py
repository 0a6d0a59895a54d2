"""The values that the audit trail shows of a field."""

import pytest

from app.core.observability.change_redaction import shown_value


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "passwords",
        "clientSecrets",
        "api_keys",
        "apikey",
        "tokens",
        "addresses",
        "cities",
        "hashes",
        "notes",
        "pincode",
        "new_passwd",
        "backup_codes",
        "recoveryCode",
        "mfa_code",
        "totp",
        "accesstoken",
        "bearer",
    ],
)
def test_a_sensitive_field_is_redacted_in_the_singular_and_in_the_plural(name: str) -> None:
    assert shown_value(name, ["hunter2"]) == "[redacted]"
    assert shown_value("settings", {name: "hunter2"}) == {name: "[redacted]"}


@pytest.mark.parametrize("name", ["status", "roles", "is_active", "percentage", "series", "expires_at", "passes"])
def test_another_field_is_shown(name: str) -> None:
    assert shown_value(name, "open") == "open"
