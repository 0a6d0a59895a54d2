"""Settings of the storage module; each provider has its own besides."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.config.provider_selection import Selection
from app.core.config.settings import ForDevelopment, ModuleSettings
from app.storage.port import LOCAL
from app.storage.providers.registry import PROVIDERS

SELECTION = Selection(PROVIDERS, local_default=LOCAL)


class StorageSettings(ModuleSettings):
    """The selected provider and the limits of uploads."""

    STORAGE_PROVIDER: Annotated[str, AfterValidator(SELECTION.check), ForDevelopment(LOCAL)] = ""
    # A file is uploaded in a single request; larger files would need multipart uploads.
    MAX_UPLOAD_SIZE: int = Field(default=25 * 1024 * 1024, ge=1, le=5 * 1024**3)
    STORAGE_MAX_BYTES_PER_USER: int = Field(default=1024**3, ge=1, lt=2**63)
    STORAGE_MAX_PENDING_UPLOADS: int = Field(default=20, ge=1)
