"""The settings of Google Play."""

import base64
import json
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo

from app.core.config.settings import Environment, ModuleSettings, RequiredOutsideLocal
from app.kit.urls import ServerUrl
from app.payments.store_settings import FakeStoreUrl

KEY_FILE = "must be the JSON key file of a service account, or its base64"


class ServiceAccount(BaseModel):
    """The key of a service account, as the Google Cloud console creates it.

    Attributes:
        private_key: an RSA key in PEM.
        token_uri: where a signed assertion is exchanged for an access token.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    client_email: str = Field(min_length=3, max_length=320)
    private_key_id: str = Field(min_length=1, max_length=200)
    private_key: SecretStr
    token_uri: ServerUrl


def _package_name(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", value, re.ASCII):
        raise ValueError("must be the app's package name, such as com.example.app")
    return value


def _service_account(value: SecretStr, info: ValidationInfo) -> SecretStr:
    """Return the key file as JSON. It may be written in base64."""
    text = value.get_secret_value().strip()
    if not text:
        return SecretStr("")
    try:
        text = text if text.startswith("{") else base64.b64decode(text, validate=True).decode()
        account = ServiceAccount.model_validate(json.loads(text))
        _check_key(account.private_key.get_secret_value())
    except (ValidationError, ValueError, TypeError, RecursionError):
        raise ValueError(KEY_FILE) from None
    is_local = info.data.get("ENVIRONMENT") is Environment.LOCAL
    if not is_local and not account.token_uri.startswith("https://"):
        raise ValueError("must name a token_uri that starts with https://")
    return SecretStr(text)


def _check_key(pem: str) -> None:
    # Slow to import, and needed only where a key is set.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    if not isinstance(load_pem_private_key(pem.encode(), password=None), RSAPrivateKey):
        raise TypeError(KEY_FILE)


def _email(value: str) -> str:
    if value and not re.fullmatch(r"[^\s@]{1,200}@[^\s@]{1,200}", value):
        raise ValueError("must be the email address of a service account")
    return value


class GooglePlaySettings(ModuleSettings):
    """The app, the service account that reads its purchases, and the identity of the notifications' sender."""

    GOOGLE_PLAY_PACKAGE_NAME: Annotated[str, AfterValidator(_package_name), RequiredOutsideLocal] = ""
    GOOGLE_PLAY_SERVICE_ACCOUNT_JSON: Annotated[SecretStr, AfterValidator(_service_account), RequiredOutsideLocal] = (
        SecretStr("")
    )
    GOOGLE_PUBSUB_AUDIENCE: Annotated[str, Field(max_length=1000), RequiredOutsideLocal] = ""
    GOOGLE_PUBSUB_SERVICE_ACCOUNT: Annotated[str, AfterValidator(_email), RequiredOutsideLocal] = ""
    GOOGLE_PLAY_API_URL: FakeStoreUrl = ""

    @property
    def is_configured(self) -> bool:
        """Whether Google Play can be used. Always true outside local."""
        needed = (
            self.GOOGLE_PLAY_PACKAGE_NAME,
            self.GOOGLE_PLAY_SERVICE_ACCOUNT_JSON,
            self.GOOGLE_PUBSUB_AUDIENCE,
            self.GOOGLE_PUBSUB_SERVICE_ACCOUNT,
        )
        return all(needed)

    @property
    def service_account(self) -> ServiceAccount:
        """The parsed key file."""
        return ServiceAccount.model_validate_json(self.GOOGLE_PLAY_SERVICE_ACCOUNT_JSON.get_secret_value())
