"""Settings of the browser admin."""

from app.core.config.settings import ModuleSettings


class AdminUiSettings(ModuleSettings):
    """Settings of the browser admin."""

    ADMIN_UI: bool = True
