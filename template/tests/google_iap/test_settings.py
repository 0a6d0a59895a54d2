import base64
import json
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from app.dev.servers.google_play.store import GooglePlay
from app.google_iap.settings import GooglePlaySettings
from tests.payments.store_purchases import problems

NEEDED = {
    "GOOGLE_PLAY_PACKAGE_NAME",
    "GOOGLE_PLAY_SERVICE_ACCOUNT_JSON",
    "GOOGLE_PUBSUB_AUDIENCE",
    "GOOGLE_PUBSUB_SERVICE_ACCOUNT",
}
EC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def key_file(google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The key file of the fake. No setting is set."""
    settings = google_play.settings
    for name in settings:
        monkeypatch.delenv(name)
    parsed: dict[str, str] = json.loads(base64.b64decode(settings["GOOGLE_PLAY_SERVICE_ACCOUNT_JSON"]))
    return parsed


@pytest.mark.usefixtures("key_file")
def test_in_local_nothing_is_required() -> None:
    assert not GooglePlaySettings().is_configured


@pytest.mark.usefixtures("key_file")
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_elsewhere_everything_is_required(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    with pytest.raises(ValidationError) as caught:
        GooglePlaySettings()

    assert problems(caught).keys() == NEEDED


@pytest.mark.parametrize(
    "write",
    [lambda text: text, lambda text: base64.b64encode(text.encode()).decode(), lambda text: f"  {text}\n"],
    ids=["text", "base64", "padded"],
)
def test_the_key_file_may_be_written_in_several_ways(
    key_file: dict[str, str], write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_PLAY_SERVICE_ACCOUNT_JSON", write(json.dumps(key_file)))
    account = GooglePlaySettings().service_account

    assert account.client_email == key_file["client_email"]
    assert account.private_key.get_secret_value() == key_file["private_key"]


@pytest.mark.parametrize(
    "change",
    [
        lambda _key_file: "secret",
        lambda _key_file: "é",
        lambda _key_file: "{",
        lambda _key_file: "[" * 5000,
        lambda _key_file: json.dumps([]),
        lambda key_file: json.dumps({**key_file, "private_key": "secret"}),
        lambda key_file: json.dumps({**key_file, "private_key": EC_KEY.decode()}),
        lambda key_file: json.dumps({**key_file, "client_email": ""}),
        lambda key_file: json.dumps({**key_file, "token_uri": "oauth2.googleapis.com"}),
    ],
    ids=range(9),
)
def test_another_file_is_refused_without_being_quoted(
    key_file: dict[str, str], change: Callable[[Mapping[str, str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_PLAY_SERVICE_ACCOUNT_JSON", change(key_file))
    with pytest.raises(ValidationError) as caught:
        GooglePlaySettings()

    message = "Value error, must be the JSON key file of a service account, or its base64"
    assert problems(caught) == {"GOOGLE_PLAY_SERVICE_ACCOUNT_JSON": message}
    assert "secret" not in str(caught.value)
    assert key_file["private_key"] not in str(caught.value)


def test_outside_local_the_token_endpoint_needs_https(
    key_file: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("GOOGLE_PLAY_SERVICE_ACCOUNT_JSON", json.dumps(key_file))
    with pytest.raises(ValidationError) as caught:
        GooglePlaySettings()

    assert "https://" in problems(caught)["GOOGLE_PLAY_SERVICE_ACCOUNT_JSON"]


@pytest.mark.usefixtures("key_file")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GOOGLE_PLAY_PACKAGE_NAME", "example", "must be the app's package name"),
        ("GOOGLE_PLAY_PACKAGE_NAME", "com.example/app", "must be the app's package name"),
        ("GOOGLE_PUBSUB_SERVICE_ACCOUNT", "pubsub", "must be the email address"),
        ("GOOGLE_PLAY_API_URL", "localhost:9000", "must be a URL"),
    ],
)
def test_a_malformed_setting_is_refused(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        GooglePlaySettings()

    assert message in problems(caught)[name]


@pytest.mark.usefixtures("key_file")
def test_another_server_is_refused_outside_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("GOOGLE_PLAY_API_URL", "https://play.example.com")
    with pytest.raises(ValidationError) as caught:
        GooglePlaySettings()

    assert "must be empty outside local" in problems(caught)["GOOGLE_PLAY_API_URL"]
