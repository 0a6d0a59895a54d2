"""The cache that all processes share."""

from datetime import timedelta

from app.redis.link import Link, LostError

PREFIX = "cache:"


class RedisCache:
    """See `Cache`. While Redis is away nothing is there, and what is given or taken away is lost."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, key: str) -> bytes | None:
        """See `Cache.get`."""
        try:
            found: bytes | None = await self._link.call(lambda: self._link.client.get(PREFIX + key))
        except LostError:
            return None
        return found

    async def set(self, key: str, value: bytes, ttl: timedelta) -> None:
        """See `Cache.set`."""
        milliseconds = round(ttl.total_seconds() * 1000)
        if milliseconds < 1:
            await self.delete(key)
            return
        try:
            await self._link.call(lambda: self._link.client.set(PREFIX + key, value, px=milliseconds))
        except LostError:
            return

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        try:
            await self._link.call(lambda: self._link.client.delete(PREFIX + key))
        except LostError:
            return
