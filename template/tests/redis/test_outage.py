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
from app.core.rate_limiting.memory import MemoryLimiter
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.redis import circuit_breaker
from app.redis.circuit_breaker import CircuitBreaker, open_circuit_breaker
from app.redis.connection import connect
from app.redis.limiter import RedisLimiter
from tests.conftest import make_client, make_runtime
from tests.redis.server import RedisServer

READY = "/api/v1/public/health/ready"
NOWHERE = "/api/v1/public/nowhere"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def fast_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for Redis more often than one would."""
    monkeypatch.setattr(circuit_breaker, "PROBE_INTERVAL", timedelta(seconds=0.01))


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
    async with make_client(create_app(MODULES, runtime=application)) as open_circuit_breaker:
        yield open_circuit_breaker


async def degraded(visitor: httpx.AsyncClient) -> list[str]:
    """Return the degraded dependencies that the readiness route reports."""
    answer = await visitor.get(READY)
    assert answer.status_code == 200
    found: list[str] = answer.json()["degraded"]
    return found


class TestReadiness:
    async def test_reports_the_outage_and_its_end(self, visitor: httpx.AsyncClient, own_redis: RedisServer) -> None:
        assert await degraded(visitor) == []
        own_redis.stop()
        assert await degraded(visitor) == ["redis"]
        own_redis.start()
        assert await degraded(visitor) == []


class TestLimits:
    async def test_continue_in_memory_and_return_to_redis(
        self, application: Runtime, visitor: httpx.AsyncClient, own_redis: RedisServer
    ) -> None:
        assert isinstance(application.limiter, RedisLimiter)
        assert [(await visitor.get(NOWHERE)).status_code for _ in range(3)] == [404, 404, 429]

        own_redis.stop()
        # This process's memory knows nothing yet of the two before.
        assert [(await visitor.get(NOWHERE)).status_code for _ in range(3)] == [404, 404, 429]
        breaker = application.resource(CircuitBreaker)
        assert breaker.is_open

        own_redis.start()
        await breaker.wait_until_closed()
        assert (await application.limiter.hit("5/day", "somebody")).remaining == 4
        assert await breaker.client.keys("limit:somebody*") == [b"limit:somebody 5/day"]


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
        await application.resource(CircuitBreaker).wait_until_closed()
        await cache.set("key", b"new", MINUTE)
        assert await cache.get("key") == b"new"


class TestLink:
    async def test_an_outage_and_its_end_are_logged_once(self, application: Runtime, own_redis: RedisServer) -> None:
        with capture_logs() as logs:
            own_redis.stop()
            await asyncio.gather(*(application.cache.get("key") for _ in range(50)))
            own_redis.start()
            await application.resource(CircuitBreaker).wait_until_closed()
        told = [(entry["log_level"], entry["event"]) for entry in logs]

        assert told == [("warning", "redis_lost"), ("info", "redis_back")]

    async def test_calls_during_an_outage_fail_immediately(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A server that takes connections and never answers is the worst case: each call would take all of its time.
        monkeypatch.setattr(circuit_breaker, "TIMEOUT", 0.1)
        monkeypatch.setattr(circuit_breaker, "PROBE_INTERVAL", timedelta(minutes=1))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host, port = silent.getsockname()
            async with (
                connect(f"redis://{host}:{port}/0") as client,
                open_circuit_breaker(client) as breaker,
                asyncio.timeout(2),
            ):
                assert breaker.is_open
                limiter = RedisLimiter(breaker, MemoryLimiter())
                for number in range(200):
                    await limiter.hit("1/day", str(number))
