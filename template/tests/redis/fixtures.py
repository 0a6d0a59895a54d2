"""Fixtures around Redis; tests of modules that stand on it import them in their `conftest.py`."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from app.redis.connection import connect
from tests.redis.server import FAKE_LINE, GIVEN, FakeredisServer, RedisServer, private_or_fake


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the Redis that tests share. Other test runs may share it too: use unique keys."""
    if GIVEN is not None:
        yield GIVEN
        return
    with private_or_fake(tmp_path_factory.mktemp("redis")) as server:
        _tell(request, server)
        yield server.url


@pytest.fixture
def own_redis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server of the test's own, which it may stop and start."""
    with private_or_fake(tmp_path_factory.mktemp("redis")) as server:
        _tell(request, server)
        yield server


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the Redis that tests share."""
    async with connect(redis_url) as client:
        yield client


_told = False


def _tell(request: pytest.FixtureRequest, server: RedisServer) -> None:
    """Print once that a fake is used, even if pytest captures the output."""
    global _told  # noqa: PLW0603 - once a run
    if isinstance(server, FakeredisServer) and not _told:
        _told = True
        plugins = request.config.pluginmanager
        with plugins.getplugin("capturemanager").global_and_fixture_disabled():
            plugins.getplugin("terminalreporter").write_line(f"\n{FAKE_LINE}")
