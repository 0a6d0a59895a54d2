"""Redis goes away while the application serves, and comes back."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.db.database import Database
from app.core.lifecycle import running
from app.core.ports.rate_limiter import memory_limiter
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.redis import link as links
from app.redis.connection import connect
from app.redis.limiter import RedisLimiter
from app.redis.link import Link, opened
from tests.conftest import make_client, make_runtime
from tests.redis.server import RedisServer

READY = "/api/v1/public/health/ready"
NOWHERE = "/api/v1/public/nowhere"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for Redis more often than one would."""
    monkeypatch.setattr(links, "PAUSE", timedelta(seconds=0.01))


@pytest.fixture
async def application(
    own_redis: RedisServer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Runtime]:
    """The running application on a Redis of its own."""
    monkeypatch.setenv("REDIS_URL", own_redis.url)
    monkeypatch.setenv("RATE_LIMIT_DEFAULT", "2/day")
    async with running(make_runtime(database), background=False) as started:
        yield started


@pytest.fixture
async def visitor(application: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that application."""
    async with make_client(create_app(MODULES, runtime=application)) as opened:
        yield opened


async def degraded(visitor: httpx.AsyncClient) -> list[str]:
    """What the readiness route says that the application does without."""
    answer = await visitor.get(READY)
    assert answer.status_code == 200
    found: list[str] = answer.json()["degraded"]
    return found


class TestReadiness:
    async def test_says_what_is_away_and_that_it_is_back(
        self, visitor: httpx.AsyncClient, own_redis: RedisServer
    ) -> None:
        assert await degraded(visitor) == []
        own_redis.stop()
        assert await degraded(visitor) == ["redis"]
        own_redis.start()
        assert await degraded(visitor) == []


class TestLimits:
    async def test_go_on_in_memory_and_then_in_redis_again(
        self, application: Runtime, visitor: httpx.AsyncClient, own_redis: RedisServer
    ) -> None:
        assert isinstance(application.limiter, RedisLimiter)
        assert [(await visitor.get(NOWHERE)).status_code for _ in range(3)] == [404, 404, 429]

        own_redis.stop()
        # This process's memory knows nothing yet of the two before.
        assert [(await visitor.get(NOWHERE)).status_code for _ in range(3)] == [404, 404, 429]
        link = application.resource(Link)
        assert link.is_lost

        own_redis.start()
        await link.back()
        assert (await application.limiter.hit("5/day", "somebody")).remaining == 4
        assert await link.client.keys("limit:somebody*") == [b"limit:somebody 5/day"]


class TestCache:
    async def test_misses_and_keeps_again(self, application: Runtime, own_redis: RedisServer) -> None:
        cache = application.cache
        await cache.set("key", b"value", MINUTE)
        own_redis.stop()
        assert await cache.get("key") is None
        await cache.set("key", b"other", MINUTE)
        await cache.delete("key")
        assert await cache.get("key") is None
        own_redis.start()
        await application.resource(Link).back()
        await cache.set("key", b"new", MINUTE)
        assert await cache.get("key") == b"new"


class TestLink:
    async def test_an_outage_is_told_once_and_so_is_its_end(self, application: Runtime, own_redis: RedisServer) -> None:
        with capture_logs() as logs:
            own_redis.stop()
            await asyncio.gather(*(application.cache.get("key") for _ in range(50)))
            own_redis.start()
            await application.resource(Link).back()
        told = [(entry["log_level"], entry["event"]) for entry in logs]

        assert told == [("warning", "redis_lost"), ("info", "redis_back")]

    async def test_who_asks_during_an_outage_does_not_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A server that takes connections and never answers is the worst case: each call would take all of its time.
        monkeypatch.setattr(links, "TIMEOUT", 0.1)
        monkeypatch.setattr(links, "PAUSE", timedelta(minutes=1))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host, port = silent.getsockname()
            async with connect(f"redis://{host}:{port}/0") as client, opened(client) as link, asyncio.timeout(2):
                assert link.is_lost
                limiter = RedisLimiter(link, memory_limiter())
                for number in range(200):
                    await limiter.hit("1/day", str(number))
