"""The settings of Stripe."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo

from app.core.config.settings import Environment, ModuleSettings, RequiredOutsideLocal
from app.kit.urls import ServerUrl

API_BASE: Final = "https://api.stripe.com"
_KEY: Final = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{4,250}")
_PRICE: Final = re.compile(r"price_[A-Za-z0-9_]{1,250}")


def _deployed(info: ValidationInfo) -> bool:
    return info.data.get("ENVIRONMENT") is not Environment.LOCAL


def _secret_key(value: SecretStr, info: ValidationInfo) -> SecretStr:
    key = value.get_secret_value()
    if key and not _KEY.fullmatch(key):
        raise ValueError("must be a secret key like sk_live_… or a restricted key like rk_live_…")
    if "_test_" in key and info.data.get("ENVIRONMENT") is Environment.PRODUCTION:
        raise ValueError("is a key of the test mode, whose subscriptions give no access in production")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and not all(webhook_secrets(value)):
        raise ValueError("must be the secret that Stripe shows for the endpoint; during a rotation: new,old")
    return value


def _price_id(value: str) -> str:
    if value and not _PRICE.fullmatch(value):
        raise ValueError("must be the id of a price, like price_1Abc")
    return value


def _api_base(value: str, info: ValidationInfo) -> str:
    if _deployed(info) and not value.startswith("https://"):
        raise ValueError("must start with https:// outside local, because requests carry the key")
    return value


def webhook_secrets(value: SecretStr) -> tuple[str, ...]:
    """Return the secrets of the setting: the newest first."""
    return tuple(secret.strip() for secret in value.get_secret_value().split(","))


class StripeSettings(ModuleSettings):
    """The account at Stripe."""

    STRIPE_SECRET_KEY: Annotated[SecretStr, AfterValidator(_secret_key), RequiredOutsideLocal] = SecretStr("")
    STRIPE_WEBHOOK_SECRET: Annotated[SecretStr, AfterValidator(_webhook_secret), RequiredOutsideLocal] = SecretStr("")
    STRIPE_PRICE_ID_MONTHLY: Annotated[str, AfterValidator(_price_id)] = ""
    STRIPE_PRICE_ID_YEARLY: Annotated[str, AfterValidator(_price_id)] = ""
    STRIPE_API_BASE: Annotated[ServerUrl, AfterValidator(_api_base)] = API_BASE
    STRIPE_AUTOMATIC_TAX: bool = False
    STRIPE_GRACE_DAYS: int = Field(default=7, ge=0, le=60)
