"""The settings of the contact form."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, model_validator

from app.contact.models import CONSENT_LENGTH
from app.core.config.settings import Environment, ModuleSettings
from app.core.rate_limiting.port import Rate
from app.kit.outbound_http import check_target
from app.kit.types.email_address import ascii_email
from app.kit.webhook_signatures import WebhookSigner

MAKE_ONE: Final = 'make one with: echo "whsec_$(openssl rand -base64 32)"'
SEPARATOR: Final = ","
"""The separator between the secrets, the newest first. The base64 alphabet does not contain it."""


def _recipient(value: str) -> str:
    return value and ascii_email(value)


def _target(value: str, info: ValidationInfo) -> str:
    return value and check_target(value, allow_loopback=info.data.get("ENVIRONMENT") is Environment.LOCAL)


def _secrets(value: SecretStr) -> list[SecretStr]:
    return [SecretStr(secret.strip()) for secret in value.get_secret_value().split(SEPARATOR)]


def _secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        try:
            WebhookSigner(_secrets(value))
        except ValueError as error:
            raise ValueError(f"{error}; {MAKE_ONE}") from None
    return value


class ContactSettings(ModuleSettings):
    """The fields that the form requires, and where its messages are sent."""

    ADMIN_EMAIL: Annotated[str, AfterValidator(_recipient)] = ""
    CONTACT_REQUIRE_SUBJECT: bool = False
    CONTACT_REQUIRE_PHONE: bool = False
    CONTACT_SEND_CONFIRMATION: bool = True
    CONTACT_WEBHOOK_URL: Annotated[str, AfterValidator(_target)] = ""
    CONTACT_WEBHOOK_SECRET: Annotated[SecretStr, AfterValidator(_secret)] = SecretStr("")
    CONTACT_RATE_LIMIT: Rate = "5/hour"
    CONTACT_CONSENT_VERSION: str = Field(default="", max_length=CONSENT_LENGTH, pattern=r"^[!-~]*$")
    CONTACT_KEEP_DAYS: int = Field(default=365, ge=1, le=36_500)

    @model_validator(mode="after")
    def _webhook_is_signed(self) -> Self:
        if self.CONTACT_WEBHOOK_URL and not self.CONTACT_WEBHOOK_SECRET.get_secret_value():
            raise ValueError(f"CONTACT_WEBHOOK_URL needs CONTACT_WEBHOOK_SECRET, which signs the webhooks; {MAKE_ONE}")
        return self

    @property
    def webhook_signer(self) -> WebhookSigner:
        """The signer of webhooks. Only if CONTACT_WEBHOOK_URL is set."""
        return WebhookSigner(_secrets(self.CONTACT_WEBHOOK_SECRET))
