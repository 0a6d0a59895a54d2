"""The fake Google Play as a server that `app dev` runs while there is no service account."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from app.core.config.settings import load_settings
from app.dev.servers.announcement import announced_settings
from app.dev.servers.dev_service import DevService
from app.dev.servers.fake_process import fake_process, webhook_url
from app.google_iap.settings import GooglePlaySettings


def _is_wanted() -> bool:
    settings = cast("GooglePlaySettings", load_settings([GooglePlaySettings])[GooglePlaySettings])
    return settings.is_local and not settings.is_configured and not settings.GOOGLE_PLAY_API_URL


def _run(folder: Path, url: str) -> AbstractContextManager[Mapping[str, str]]:
    return fake_process("app.dev.servers.google_play.process", folder, webhook_url(url, "google"))


dev_service = DevService(
    name="google_play",
    is_wanted=_is_wanted,
    run=_run,
    find=announced_settings,
    started=(
        "The settings of Google Play are empty: purchases go to a fake on {GOOGLE_PLAY_API_URL}. No money moves.\n"
        "Buy with `uv run app billing google buy me@example.com com.example.pro.monthly`."
    ),
)
