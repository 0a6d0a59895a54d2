"""What the tests of jobs have in common."""

from tests.redis.fixtures import own_redis, redis, redis_url

__all__ = ["own_redis", "redis", "redis_url"]
