"""Which provider of identities the application trusts."""

from typing import Annotated

from pydantic import AfterValidator

from app.auth.providers.registry import PROVIDERS
from app.core.config.settings import ModuleSettings

NAMES = tuple(provider.name for provider in PROVIDERS)


def _chosen(value: str) -> str:
    if value not in NAMES:
        raise ValueError(f"has to be {' or '.join(NAMES)}: no other provider is part of this project")
    return value


class AuthSettings(ModuleSettings):
    """What the module itself needs; each provider has settings of its own."""

    AUTH_PROVIDER: Annotated[str, AfterValidator(_chosen)] = NAMES[0]
