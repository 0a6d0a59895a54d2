"""A circuit that two processes share."""

import asyncio
import secrets
import subprocess
import sys
from datetime import timedelta

from redis.asyncio import Redis

from app.kit.resilience.circuit_store import CircuitPolicy, MemoryCircuits, Outcome
from app.redis.circuit_breaker import CircuitBreaker
from app.redis.circuits import PREFIX, RedisCircuits

PROBE = """
import asyncio, sys
import tests
from datetime import timedelta
from app.kit.resilience.circuit_breaker import CircuitBreaker as SharedBreaker
from app.kit.resilience.circuit_store import MemoryCircuits, share_circuits
from app.kit.resilience.errors import CircuitOpenError
from app.redis.circuit_breaker import CircuitBreaker
from app.redis.circuits import RedisCircuits
from app.redis.connection import connect

async def main(url, name):
    async with connect(url) as client:
        with share_circuits(RedisCircuits(CircuitBreaker(client), MemoryCircuits())):
            breaker = SharedBreaker(
                name, transient=ConnectionError, threshold=1, recovery=timedelta(), probe_timeout=timedelta(hours=1)
            )
            try:
                async with breaker.guard():
                    print("admitted", flush=True)
                    await asyncio.to_thread(sys.stdin.readline)
            except CircuitOpenError:
                print("refused", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_make_one_probe(redis_url: str, redis: Redis) -> None:
    name = secrets.token_hex()
    policy = CircuitPolicy(name=name, threshold=1, recovery=timedelta(), probe_timeout=timedelta(hours=1))
    await RedisCircuits(CircuitBreaker(redis), MemoryCircuits()).record(policy, "call", Outcome.FAILURE)

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", PROBE, redis_url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def outcomes() -> list[str]:
        with start() as one, start() as other:
            assert one.stdout is not None
            assert other.stdout is not None
            lines = [one.stdout.readline().strip(), other.stdout.readline().strip()]
            for process in (one, other):
                process.communicate("\n", timeout=30)
        return lines

    assert sorted(await asyncio.to_thread(outcomes)) == ["admitted", "refused"]
    assert not await redis.exists(PREFIX + name)
