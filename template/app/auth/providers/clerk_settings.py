"""The settings of Clerk."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr

from app.auth.standard_webhooks import WebhookSecret
from app.auth.urls import BaseUrl
from app.core.config.settings import ModuleSettings, RequiredOutsideLocal

NAME = "clerk"


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        scheme, separator, rest = value.partition("://")
        if not scheme or not separator or not rest or "/" in rest:
            raise ValueError('must list origins like "https://app.example.com", without a path')
    return values


class ClerkSettings(ModuleSettings):
    """The instance and the origins of its pages. The secrets enable profiles and the webhook."""

    CLERK_ISSUER_URL: Annotated[BaseUrl, RequiredOutsideLocal] = None
    CLERK_AUTHORIZED_PARTIES: Annotated[tuple[str, ...], AfterValidator(_origins), RequiredOutsideLocal] = ()
    CLERK_SECRET_KEY: SecretStr | None = None
    CLERK_WEBHOOK_SECRET: WebhookSecret = None
