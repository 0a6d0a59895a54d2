"""The settings of usage-based billing."""

from pydantic import SecretStr

from app.core.config.settings import ModuleSettings


class UsageBillingSettings(ModuleSettings):
    """The event destination that reports rejected usage."""

    STRIPE_METER_WEBHOOK_SECRET: SecretStr = SecretStr("")
