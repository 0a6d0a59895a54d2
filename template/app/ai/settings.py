"""Who answers by default, and how much may be asked."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from app.ai.port import AIPiece
from app.ai.providers.registry import PROVIDERS
from app.core.config.settings import Environment, ModuleSettings
from app.core.rate_limiting.port import Rate

NAMES = tuple(piece.name for piece in PROVIDERS)


def configured_names() -> tuple[str, ...]:
    """The providers that have what they need to be called."""
    return tuple(piece.name for piece in PROVIDERS if _is_configured(piece))


def _is_configured(piece: AIPiece) -> bool:
    try:
        return piece.is_configured(piece.settings())
    except ValidationError:
        # That is named by itself.
        return False


def _selected(value: str, info: ValidationInfo) -> str:
    if value and value not in NAMES:
        raise ValueError(f"has to be {' or '.join(NAMES)}: no other provider is part of this project")
    configured = configured_names()
    selected = value or next(iter(configured), NAMES[0])
    if selected not in configured and info.data.get("ENVIRONMENT") is not Environment.LOCAL:
        keys = " or ".join(piece.key for piece in PROVIDERS if value in {"", piece.name})
        raise ValueError(f"is {value or 'not set'}, and {keys} is not set: outside local a key is required")
    return selected


def _with_default(values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    model = info.data.get("AI_DEFAULT_MODEL")
    if values and model and model not in values:
        raise ValueError("has to name AI_DEFAULT_MODEL as well")
    return values


class AISettings(ModuleSettings):
    """What the module itself needs; each provider has settings of its own."""

    AI_DEFAULT_PROVIDER: Annotated[str, AfterValidator(_selected)] = ""
    AI_DEFAULT_MODEL: str = ""
    AI_ALLOWED_MODELS: Annotated[tuple[str, ...], AfterValidator(_with_default)] = ()
    AI_MAX_TOKENS: int = Field(default=8192, ge=1, le=128_000)
    AI_MAX_PROMPT_LENGTH: int = Field(default=100_000, ge=1)
    AI_TIMEOUT_SECONDS: int = Field(default=120, ge=1, le=3600)
    RATE_LIMIT_AI: Rate = "10/minute"
