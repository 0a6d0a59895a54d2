"""Redis as a server that `app dev` runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from app.core.config.settings import load_settings
from app.dev.servers.dev_service import DevService
from app.dev.servers.redis_server import installed, private_server, running_server
from app.redis.settings import RedisSettings

SETTING: Final = "REDIS_URL"


@contextmanager
def _run(folder: Path, _url: str) -> Iterator[Mapping[str, str]]:
    with private_server(folder) as url:
        yield {SETTING: url}


def _find(folder: Path) -> Mapping[str, str] | None:
    url = running_server(folder)
    return None if url is None else {SETTING: url}


def _is_wanted() -> bool:
    settings = cast("RedisSettings", load_settings([RedisSettings])[RedisSettings])
    return settings.is_local and settings.REDIS_URL is None


dev_service = DevService(
    name="redis",
    is_wanted=_is_wanted,
    run=_run,
    find=_find,
    is_shared=lambda: installed() is not None,
    without="REDIS_URL is not set and redis-server is not on the PATH: cache and rate limits are kept in memory.",
)
