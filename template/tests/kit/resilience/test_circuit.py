"""The circuit breaker: half-open circuits, clocks and cancelled calls."""

import asyncio
from datetime import timedelta

import pytest

from app.kit.resilience.circuit_breaker import CircuitBreaker
from app.kit.resilience.circuit_store import (
    Admission,
    CircuitPolicy,
    CircuitState,
    MemoryCircuits,
    Outcome,
    share_circuits,
)
from app.kit.resilience.errors import CircuitOpenError
from tests.kit.resilience.systems import HOUR, Hanging, System, cancel

POLICY = CircuitPolicy(name="shop", threshold=2, recovery=timedelta(seconds=30), probe_timeout=timedelta(seconds=60))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuits(clock: Clock) -> MemoryCircuits:
    return MemoryCircuits(clock)


async def open_circuit(circuits: MemoryCircuits) -> None:
    """Let calls fail until the circuit is open."""
    assert await circuits.record(POLICY, "first", Outcome.FAILURE) is None
    assert await circuits.record(POLICY, "second", Outcome.FAILURE) is CircuitState.OPEN


class TestMemoryCircuits:
    async def test_a_half_open_circuit_admits_one_probe(self, circuits: MemoryCircuits, clock: Clock) -> None:
        await open_circuit(circuits)
        clock.now += 29
        assert await circuits.admit(POLICY, "a") == Admission(CircuitState.OPEN, 2, timedelta(seconds=1))
        clock.now += 1
        admitted = [(await circuits.admit(POLICY, str(number))).state for number in range(10)]
        assert admitted == [CircuitState.HALF_OPEN, *[CircuitState.OPEN] * 9]
        assert await circuits.record(POLICY, "0", Outcome.SUCCESS) is CircuitState.CLOSED
        assert await circuits.admit(POLICY, "b") == Admission(CircuitState.CLOSED)

    async def test_a_failed_probe_reopens_it(self, circuits: MemoryCircuits, clock: Clock) -> None:
        await open_circuit(circuits)
        clock.now += 30
        await circuits.admit(POLICY, "probe")
        assert await circuits.record(POLICY, "probe", Outcome.FAILURE) is CircuitState.OPEN
        clock.now += 29
        assert (await circuits.admit(POLICY, "a")).state is CircuitState.OPEN

    async def test_a_probe_without_an_outcome_is_abandoned(self, circuits: MemoryCircuits, clock: Clock) -> None:
        await open_circuit(circuits)
        clock.now += 30
        await circuits.admit(POLICY, "probe")
        clock.now += 60
        assert (await circuits.admit(POLICY, "next")).state is CircuitState.HALF_OPEN
        assert await circuits.record(POLICY, "probe", Outcome.FAILURE) is None

    async def test_calls_from_before_the_opening_do_not_change_it(self, circuits: MemoryCircuits, clock: Clock) -> None:
        await open_circuit(circuits)
        for outcome in Outcome:
            assert await circuits.record(POLICY, "late", outcome) is None
        clock.now += 30
        assert (await circuits.admit(POLICY, "probe")).state is CircuitState.HALF_OPEN

    async def test_a_clock_that_is_set_back_does_not_prolong_the_opening(
        self, circuits: MemoryCircuits, clock: Clock
    ) -> None:
        await open_circuit(circuits)
        clock.now -= 500
        assert (await circuits.admit(POLICY, "a")).retry_after == timedelta(seconds=30)
        clock.now += 30
        assert (await circuits.admit(POLICY, "probe")).state is CircuitState.HALF_OPEN
        clock.now -= 500
        assert (await circuits.admit(POLICY, "b")).retry_after == timedelta(seconds=60)
        clock.now += 60
        assert (await circuits.admit(POLICY, "c")).state is CircuitState.HALF_OPEN


async def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(ConnectionError):
        await breaker.guard()(System(ConnectionError()).__call__)()


class TestCircuitBreaker:
    @pytest.fixture
    async def shop(self) -> CircuitBreaker:
        """A breaker whose circuit is half-open."""
        breaker = CircuitBreaker(
            "shop", transient=ConnectionError, threshold=1, recovery=timedelta(), probe_timeout=HOUR
        )
        await fail(breaker)
        return breaker

    async def test_concurrent_calls_make_one_probe(self, shop: CircuitBreaker) -> None:
        system = Hanging()
        probe = asyncio.create_task(shop.guard()(system.__call__)())
        await system.called.wait()
        for _ in range(3):
            with pytest.raises(CircuitOpenError) as caught:
                async with shop.guard():
                    pytest.fail("Another call is the probe.")
            assert caught.value.retry_after is not None
        await cancel(probe)

    async def test_a_cancelled_probe_admits_the_next(self, shop: CircuitBreaker) -> None:
        system = Hanging()
        probe = asyncio.create_task(shop.guard()(system.__call__)())
        await system.called.wait()
        await cancel(probe)
        async with shop.guard():
            pass

    @pytest.mark.parametrize("refused", [CircuitOpenError("warehouse"), asyncio.CancelledError()])
    async def test_a_probe_without_a_result_does_not_close_it(
        self, shop: CircuitBreaker, refused: BaseException
    ) -> None:
        with pytest.raises(type(refused)):
            async with shop.guard():
                raise refused
        await fail(shop)

    async def test_a_probe_that_is_refused_by_the_system_closes_it(self, shop: CircuitBreaker) -> None:
        with pytest.raises(LookupError):
            async with shop.guard():
                raise LookupError
        async with shop.guard(), shop.guard():
            pass

    async def test_an_admission_that_is_cancelled_frees_the_probe(self, shop: CircuitBreaker) -> None:
        class Slow(MemoryCircuits):
            """A store in which the answer is still on its way when the caller is cancelled."""

            async def admit(self, policy: CircuitPolicy, call_id: str) -> Admission:
                """See `CircuitStore.admit`."""
                admission = await super().admit(policy, call_id)
                if admission.state is CircuitState.HALF_OPEN and not asked.is_set():
                    asked.set()
                    await asyncio.Event().wait()
                return admission

        asked = asyncio.Event()
        with share_circuits(Slow()):
            await fail(shop)
            task = asyncio.create_task(shop.guard()(System("well").__call__)())
            await asked.wait()
            await cancel(task)
            async with shop.guard():
                pass

    async def test_changes_are_logged(self, shop: CircuitBreaker, capsys: pytest.CaptureFixture[str]) -> None:
        await fail(shop)
        async with shop.guard():
            pass
        log = "".join(capsys.readouterr())
        assert "state=open" in log
        assert "state=closed" in log
