"""Redis as a server that `app dev` runs."""

from typing import cast

from app.core.config.settings import load_settings
from app.dev.servers.dev_service import DevService
from app.dev.servers.redis_server import private_server, running_server
from app.redis.settings import RedisSettings


def _is_wanted() -> bool:
    settings = cast("RedisSettings", load_settings([RedisSettings])[RedisSettings])
    return settings.is_local and settings.REDIS_URL is None


dev_service = DevService(
    name="redis",
    setting="REDIS_URL",
    is_wanted=_is_wanted,
    run=private_server,
    find=running_server,
    without="REDIS_URL is not set and redis-server is not on the PATH: cache and rate limits are kept in memory.",
)
