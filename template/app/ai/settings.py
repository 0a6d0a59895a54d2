"""Settings of the AI gateway: the default model and the limits. Each provider has settings of its own besides."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from app.ai.port import AIProviderSpec
from app.ai.providers import console, registry
from app.core.config.settings import Environment, ModuleSettings
from app.core.rate_limiting.port import Rate

PROVIDERS: Final = (*registry.PROVIDERS, console.provider)
"""The chosen providers, then the one for development."""


def configured_names() -> tuple[str, ...]:
    """Return the names of the providers that can be called with the current settings."""
    return tuple(spec.name for spec in PROVIDERS if _is_configured(spec))


def _is_configured(spec: AIProviderSpec) -> bool:
    try:
        return spec.is_configured(spec.settings())
    except ValidationError:
        # Reported with the provider's own settings.
        return False


def _selected(value: str, info: ValidationInfo) -> str:
    is_local = info.data.get("ENVIRONMENT") is Environment.LOCAL
    specs = [spec for spec in PROVIDERS if is_local or not spec.local_only]
    names = [spec.name for spec in specs]
    if value and value not in names:
        raise ValueError(f"must be {' or '.join(names)}: no other provider is part of this project")
    configured = configured_names()
    selected = value or next(iter(configured), names[0])
    if selected not in configured and not is_local:
        keys = " or ".join(spec.key for spec in specs if spec.key and value in {"", spec.name})
        raise ValueError(f"is {value or 'not set'}, and {keys} is not set: outside local a key is required")
    return selected


def _with_default(values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    model = info.data.get("AI_DEFAULT_MODEL")
    if values and model and model not in values:
        raise ValueError("must include AI_DEFAULT_MODEL")
    return values


class AISettings(ModuleSettings):
    """The default model and the limits."""

    AI_DEFAULT_PROVIDER: Annotated[str, AfterValidator(_selected)] = ""
    AI_DEFAULT_MODEL: str = ""
    AI_ALLOWED_MODELS: Annotated[tuple[str, ...], AfterValidator(_with_default)] = ()
    AI_MAX_TOKENS: int = Field(default=8192, ge=1, le=128_000)
    AI_MAX_PROMPT_LENGTH: int = Field(default=100_000, ge=1)
    AI_MAX_CONCURRENT_ANSWERS: int = Field(default=5, ge=1)
    AI_TIMEOUT_SECONDS: int = Field(default=120, ge=1, le=3600)
    AI_TOTAL_TIMEOUT_SECONDS: int = Field(default=600, ge=1, le=24 * 3600)
    AI_WRITE_TIMEOUT_SECONDS: int = Field(default=30, ge=1, le=3600)
    RATE_LIMIT_AI: Rate = "10/minute"
