"""The settings of Stripe."""

from typing import Annotated

from pydantic import SecretStr

from app.core.config.settings import ModuleSettings, RequiredOutsideLocal
from app.kit.urls import ServerUrl

API_BASE = "https://api.stripe.com"


class StripeSettings(ModuleSettings):
    """The account at Stripe."""

    STRIPE_SECRET_KEY: Annotated[SecretStr, RequiredOutsideLocal] = SecretStr("")
    STRIPE_WEBHOOK_SECRET: Annotated[SecretStr, RequiredOutsideLocal] = SecretStr("")
    STRIPE_PRICE_ID_MONTHLY: str = ""
    STRIPE_PRICE_ID_YEARLY: str = ""
    STRIPE_API_BASE: ServerUrl = API_BASE
