"""The settings of the audit log."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from app.audit.models import PROTECTED_DAYS
from app.core.config.settings import ModuleSettings


class AuditSettings(ModuleSettings):
    """The retention period."""

    AUDIT_KEEP_DAYS: Annotated[int, Field(ge=PROTECTED_DAYS, le=36_500)] = 365

    @property
    def retention_period(self) -> timedelta:
        """The time for which an entry is kept."""
        return timedelta(days=self.AUDIT_KEEP_DAYS)
