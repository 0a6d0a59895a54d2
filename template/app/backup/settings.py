"""Settings of backups."""

from typing import Annotated, Final

from pydantic import AfterValidator, ValidationInfo

from app.backup.encryption import recipient
from app.core.config.settings import ModuleSettings

BUCKET_SCHEME: Final = "s3://"


def _recipient(value: str, _info: ValidationInfo) -> str:
    if value:
        recipient(value)
    return value


class BackupSettings(ModuleSettings):
    """The place of backups, and the key that encrypts them."""

    BACKUP_DIR: str = ".local/backups"
    BACKUP_AGE_RECIPIENT: Annotated[str, AfterValidator(_recipient)] = ""
