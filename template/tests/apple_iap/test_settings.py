import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from app.apple_iap.settings import ROOT_SHA256, AppleSettings
from tests.payments.store_purchases import problems

NEEDED = {"APPLE_BUNDLE_ID", "APPLE_APP_ID", "APPLE_ISSUER_ID", "APPLE_KEY_ID", "APPLE_PRIVATE_KEY"}


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


KEY = pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(autouse=True)
def unset(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    for name in AppleSettings.model_fields.keys() - {"ENVIRONMENT"}:
        monkeypatch.delenv(name, raising=False)


def test_in_local_nothing_is_required() -> None:
    settings = AppleSettings()

    assert not settings.is_configured
    assert settings.APPLE_ROOT_SHA256 == ROOT_SHA256


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_elsewhere_the_app_and_its_key_are_required(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    with pytest.raises(ValidationError) as caught:
        AppleSettings()

    assert problems(caught).keys() == NEEDED


@pytest.mark.parametrize(
    "write",
    [
        lambda key: key,
        lambda key: key.replace("\n", "\\n"),
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: f"  {key}\n\n",
    ],
    ids=["text", "escaped", "base64", "padded"],
)
def test_the_key_may_be_written_in_several_ways(write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLE_PRIVATE_KEY", write(KEY))

    assert AppleSettings().APPLE_PRIVATE_KEY.get_secret_value() == KEY


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "é",
        "AuthKey_2X9R4HXF34.p8",
        KEY[:-40],
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=range(6),
)
def test_another_key_is_refused_without_being_quoted(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLE_PRIVATE_KEY", key)
    with pytest.raises(ValidationError) as caught:
        AppleSettings()

    assert problems(caught) == {
        "APPLE_PRIVATE_KEY": "Value error, must be the text of the .p8 file from App Store Connect, or its base64"
    }
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("APPLE_BUNDLE_ID", "com/example", "must be the app's bundle id"),
        ("APPLE_BUNDLE_ID", "a" * 200, "must be the app's bundle id"),
        ("APPLE_APP_ID", "-1", "greater than or equal to 0"),
        ("APPLE_APP_ID", "com.example.app", "valid integer"),
        ("APPLE_API_URL", "localhost:9000", "must be a URL"),
        ("APPLE_ROOT_SHA256", "63:34", "must be a SHA-256 fingerprint"),
        ("APPLE_ROOT_SHA256", "g" * 64, "must be a SHA-256 fingerprint"),
    ],
)
def test_a_malformed_setting_is_refused(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        AppleSettings()

    assert message in problems(caught)[name]


def test_another_server_and_another_root_are_refused_outside_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("APPLE_API_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("APPLE_ROOT_SHA256", "a" * 64)
    with pytest.raises(ValidationError) as caught:
        AppleSettings()

    found = problems(caught)
    assert "must be empty outside local" in found["APPLE_API_URL"]
    assert "only Apple's own root certificate is trusted" in found["APPLE_ROOT_SHA256"]


def test_the_fingerprint_may_be_written_with_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [ROOT_SHA256[place : place + 2].upper() for place in range(0, 64, 2)]
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("APPLE_ROOT_SHA256", ":".join(pairs))
    with pytest.raises(ValidationError) as caught:
        AppleSettings()

    assert "APPLE_ROOT_SHA256" not in problems(caught)
