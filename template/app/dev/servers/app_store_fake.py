"""The fake App Store as a server that `app dev` runs while there is no key."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from app.apple_iap.settings import AppleSettings
from app.core.config.settings import load_settings
from app.dev.servers.announcement import announced_settings
from app.dev.servers.dev_service import DevService
from app.dev.servers.fake_process import fake_process, webhook_url


def _is_wanted() -> bool:
    settings = cast("AppleSettings", load_settings([AppleSettings])[AppleSettings])
    return settings.is_local and not settings.is_configured and not settings.APPLE_API_URL


def _run(folder: Path, url: str) -> AbstractContextManager[Mapping[str, str]]:
    return fake_process("app.dev.servers.app_store.process", folder, webhook_url(url, "apple"))


dev_service = DevService(
    name="app_store",
    is_wanted=_is_wanted,
    run=_run,
    find=announced_settings,
    started=(
        "The settings of the App Store are empty: purchases go to a fake on {APPLE_API_URL}. No money moves.\n"
        "Buy with `uv run app billing apple buy me@example.com com.example.pro.monthly`."
    ),
)
