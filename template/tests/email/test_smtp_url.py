"""SMTP_URL."""

import pytest

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.email.module import module
from app.email.providers.smtp_url import Encryption, SmtpServer, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.test", SmtpServer(host="mail.test", port=587, encryption=Encryption.STARTTLS)),
        ("smtps://mail.test/", SmtpServer(host="mail.test", port=465, encryption=Encryption.TLS)),
        (
            "smtp://me%40mail.test:p%2Fw%3A%40@mail.test:25",
            SmtpServer(
                host="mail.test", port=25, encryption=Encryption.STARTTLS, username="me@mail.test", password="p/w:@"
            ),
        ),
        (
            "smtp://localhost:1025?starttls=never",
            SmtpServer(host="localhost", port=1025, encryption=Encryption.NONE),
        ),
        ("smtp://relay:25/?starttls=never", SmtpServer(host="relay", port=25, encryption=Encryption.NONE)),
        (
            "smtp://me:pw@127.0.0.1:1025?starttls=never",
            SmtpServer(host="127.0.0.1", port=1025, encryption=Encryption.NONE, username="me", password="pw"),
        ),
    ],
)
def test_parses_a_url(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mail.test:587", "must look like"),
        ("https://mail.test", "must look like"),
        ("smtp://", "must look like"),
        ("smtp://mail.test:port", "must look like"),
        ("smtp://mail.test:99999", "must look like"),
        ("smtp://[::1", "must look like"),
        ("smtp://mail.test/path", "must look like"),
        ("smtp://me:p#w@mail.test", "must look like"),
        ("smtp://me@mail.test", "both a user and a password"),
        ("smtp://mail.test?starttls=maybe", "supports no option"),
        ("smtps://mail.test?starttls=never", "supports no option"),
        ("smtp://mail.test?verify=no", "supports no option"),
        ("smtp://me:secret@mail.test?starttls=never", "unencrypted"),
    ],
)
def test_an_invalid_url_stops_the_start(url: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_PROVIDER", "smtp")
    monkeypatch.setenv("SMTP_URL", url)
    with pytest.raises(ConfigurationError, match=f"SMTP_URL .*{why}") as caught:
        create_runtime([core, module])
    assert "secret" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "pw" not in repr(parse_smtp_url("smtp://me:pw@mail.test"))
