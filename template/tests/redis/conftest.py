"""Fixtures of the tests of Redis."""

from app.dev.servers.redis_server import installed
from tests.redis.fixtures import own_redis, redis, redis_url

__all__ = ["own_redis", "redis", "redis_url"]

# The line that says so is `FAKE_LINE`.
collect_ignore = [] if installed() else ["test_circuit_processes.py", "test_server.py", "test_stream_outage.py"]
