"""Where files are kept, and how large they may be."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.config.provider_selection import Selection
from app.core.config.settings import ModuleSettings
from app.storage.port import LOCAL
from app.storage.providers.registry import PROVIDERS

SELECTION = Selection(PROVIDERS, modest=LOCAL)


class StorageSettings(ModuleSettings):
    """What the module itself needs; each provider has settings of its own."""

    STORAGE_PROVIDER: Annotated[str, AfterValidator(SELECTION.check)] = ""
    # One request carries it whole; what is larger than this wants uploads in parts.
    MAX_UPLOAD_SIZE: int = Field(default=25 * 1024 * 1024, ge=1, le=5 * 1024**3)
