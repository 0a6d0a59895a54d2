"""The settings of authentication."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.auth.providers.registry import PROVIDERS
from app.core.config.settings import ModuleSettings
from app.core.rate_limiting.port import Rate

NAMES = tuple(provider.name for provider in PROVIDERS)


def _chosen(value: str) -> str:
    if value not in NAMES:
        raise ValueError(f"must be {' or '.join(NAMES)}; this project contains no other provider")
    return value


USER_EDITABLE = frozenset(claim for provider in PROVIDERS for claim in provider.user_editable_claims)


def _not_editable(claim: str) -> str:
    if claim.partition(".")[0] in USER_EDITABLE:
        raise ValueError("names a claim that users can change themselves")
    return claim


class AuthSettings(ModuleSettings):
    """The settings of the module. Each provider has its own settings class."""

    AUTH_PROVIDER: Annotated[str, AfterValidator(_chosen)] = NAMES[0]
    AUTH_ALLOW_ANONYMOUS: bool = False
    RATE_LIMIT_ANONYMOUS: Rate = "20/minute"
    AUTH_ROLE_CLAIM: Annotated[str, AfterValidator(_not_editable)] = ""
    AUTH_ROLE_MAPPING: dict[str, str] = Field(default_factory=dict)
