"""What the tests around Redis may ask for besides."""

from tests.redis.fixtures import own_redis, redis, redis_url

__all__ = ["own_redis", "redis", "redis_url"]
