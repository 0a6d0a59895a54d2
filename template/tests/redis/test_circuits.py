"""Circuit breakers whose state all processes share."""

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from app.kit.resilience.circuit_breaker import CircuitBreaker as SharedBreaker
from app.kit.resilience.circuit_store import (
    Admission,
    CircuitPolicy,
    CircuitState,
    MemoryCircuits,
    Outcome,
    share_circuits,
)
from app.redis.circuit_breaker import CircuitBreaker
from app.redis.circuits import PREFIX, RedisCircuits
from app.redis.connection import connect
from tests.redis.server import RedisServer

HOUR = timedelta(hours=1)


@pytest.fixture
def policy() -> CircuitPolicy:
    """A circuit that no other test has, half-open as soon as it has failed twice."""
    return CircuitPolicy(name=secrets.token_hex(), threshold=2, recovery=timedelta(), probe_timeout=HOUR)


@pytest.fixture
def circuits(redis: Redis) -> RedisCircuits:
    return RedisCircuits(CircuitBreaker(redis), MemoryCircuits())


async def open_circuit(circuits: RedisCircuits, policy: CircuitPolicy) -> None:
    """Let calls fail until the circuit is open."""
    assert await circuits.record(policy, "first", Outcome.FAILURE) is None
    assert await circuits.admit(policy, "second") == Admission(CircuitState.CLOSED, 1)
    assert await circuits.record(policy, "second", Outcome.FAILURE) is CircuitState.OPEN


async def test_another_process_counts_the_same_failures(
    circuits: RedisCircuits, policy: CircuitPolicy, redis: Redis
) -> None:
    policy = replace(policy, recovery=HOUR)
    other = RedisCircuits(CircuitBreaker(redis), MemoryCircuits())
    await circuits.record(policy, "a", Outcome.FAILURE)
    await other.record(policy, "b", Outcome.FAILURE)

    admission = await circuits.admit(policy, "c")

    assert admission.state is CircuitState.OPEN
    assert admission.retry_after is not None
    assert timedelta() < admission.retry_after <= HOUR


async def test_concurrent_calls_make_one_probe(circuits: RedisCircuits, policy: CircuitPolicy) -> None:
    await open_circuit(circuits, policy)
    admitted = await asyncio.gather(*(circuits.admit(policy, str(number)) for number in range(10)))
    assert [each.state for each in admitted].count(CircuitState.HALF_OPEN) == 1


async def test_the_probe_decides(circuits: RedisCircuits, policy: CircuitPolicy, redis: Redis) -> None:
    await open_circuit(circuits, policy)
    await circuits.admit(policy, "probe")
    assert await circuits.record(policy, "late", Outcome.SUCCESS) is None
    assert await circuits.record(policy, "probe", Outcome.FAILURE) is CircuitState.OPEN
    await circuits.admit(policy, "cancelled")
    assert await circuits.record(policy, "cancelled", Outcome.ABANDONED) is None
    assert (await circuits.admit(policy, "again")).state is CircuitState.HALF_OPEN
    assert await redis.pttl(PREFIX + policy.name) > 0
    assert await circuits.record(policy, "again", Outcome.SUCCESS) is CircuitState.CLOSED
    assert await circuits.admit(policy, "next") == Admission(CircuitState.CLOSED)
    assert not await redis.exists(PREFIX + policy.name)


async def test_a_clock_that_is_set_back_does_not_prolong_the_opening(
    circuits: RedisCircuits, policy: CircuitPolicy, redis: Redis
) -> None:
    policy = replace(policy, recovery=timedelta(seconds=30))
    await open_circuit(circuits, policy)
    # As if the server's clock had gone back by a year since.
    later = int((await redis.time())[0] + 365 * 86400) * 1000
    await redis.execute_command("HSET", PREFIX + policy.name, "open_until", later)  # type: ignore[no-untyped-call]

    admission = await circuits.admit(policy, "a")

    assert admission.retry_after == timedelta(seconds=30)
    kept = await redis.execute_command("HGET", PREFIX + policy.name, "open_until")  # type: ignore[no-untyped-call]
    assert int(kept) / 1000 - (await redis.time())[0] <= 31


@pytest.mark.parametrize(
    "value", ["", "nan", "-nan", "inf", "-1e300", "1e300", "0x10", "abc", "9223372036854775807", "-7"]
)
async def test_values_of_another_program_cannot_block_calls_or_raise(
    circuits: RedisCircuits, policy: CircuitPolicy, redis: Redis, value: str
) -> None:
    policy = replace(policy, recovery=HOUR)
    for field in ("failures", "open_until", "probe_until"):
        key, probe = PREFIX + policy.name, f"{field} {value}"
        await redis.delete(key)
        await redis.hset(key, mapping={"open_until": 1, field: value})  # type: ignore[misc]

        admission = await circuits.admit(policy, probe)
        assert admission.failures in range(1_000_001)
        assert admission.retry_after is None or timedelta() < admission.retry_after <= HOUR
        if admission.state is not CircuitState.OPEN:
            assert await circuits.record(policy, probe, Outcome.FAILURE) in {None, CircuitState.OPEN}
        await circuits.record(policy, "another", Outcome.FAILURE)
        assert (await circuits.admit(policy, "last")).state is CircuitState.OPEN


async def test_this_process_decides_while_redis_is_unavailable(policy: CircuitPolicy) -> None:
    async with connect("redis://127.0.0.1:1/0") as client:
        link = CircuitBreaker(client)
        circuits = RedisCircuits(link, MemoryCircuits())
        await open_circuit(circuits, policy)
        assert (await circuits.admit(policy, "probe")).state is CircuitState.HALF_OPEN
        assert (await circuits.admit(policy, "other")).state is CircuitState.OPEN
        await link.close()


async def test_an_outage_between_two_steps_fails_no_call(own_redis: RedisServer) -> None:
    shop = SharedBreaker("shop", transient=ConnectionError, threshold=1, recovery=timedelta())
    async with connect(own_redis.url) as client:
        link = CircuitBreaker(client)
        with share_circuits(RedisCircuits(link, MemoryCircuits())):
            with pytest.raises(ConnectionError):
                async with shop.guard():
                    raise ConnectionError
            async with shop.guard():
                own_redis.stop()
            async with shop.guard():
                pass
            with pytest.raises(ConnectionError):
                async with shop.guard():
                    raise ConnectionError
        await link.close()


async def test_a_rejected_command_does_not_stop_other_calls(redis: Redis, policy: CircuitPolicy) -> None:
    await redis.set(f"{PREFIX}{policy.name}", "not a hash")
    breaker = CircuitBreaker(redis)

    admission = await RedisCircuits(breaker, MemoryCircuits()).admit(policy, "c")

    assert admission.state is CircuitState.CLOSED
    assert not breaker.is_open
