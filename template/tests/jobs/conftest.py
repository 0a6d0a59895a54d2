"""What the tests of jobs have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.jobs.redis_server import RedisServer


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of the test's own, which it may stop."""
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    await server.stop()
