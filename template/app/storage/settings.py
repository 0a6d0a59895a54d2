"""Where files are kept, and how large they may be."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from app.core.settings import Environment, ModuleSettings
from app.storage.providers.registry import PROVIDERS
from app.storage.selection import LOCAL

NAMES = tuple(provider.name for provider in PROVIDERS)
CHOSEN = next((name for name in NAMES if name != LOCAL), LOCAL)


def _selected(value: str, info: ValidationInfo) -> str:
    if not value:
        return LOCAL if info.data.get("ENVIRONMENT") is Environment.LOCAL else CHOSEN
    if value not in NAMES:
        raise ValueError(f"has to be {' or '.join(NAMES)}: no other provider is part of this project")
    return value


class StorageSettings(ModuleSettings):
    """What the module itself needs; each provider has settings of its own."""

    STORAGE_PROVIDER: Annotated[str, AfterValidator(_selected)] = ""
    # One request carries it whole; what is larger than this wants uploads in parts.
    MAX_UPLOAD_SIZE: int = Field(default=25 * 1024 * 1024, ge=1, le=5 * 1024**3)
