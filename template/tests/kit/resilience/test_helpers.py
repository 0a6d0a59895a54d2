"""Each helper on its own: retry, timeout, fallback, bulkhead."""

import asyncio
from datetime import timedelta

import pytest

from app.kit.external_calls import CallFinished, observe_calls
from app.kit.resilience.bulkhead import Bulkhead
from app.kit.resilience.errors import BulkheadFullError, CircuitOpenError
from app.kit.resilience.fallback import Fallback
from app.kit.resilience.retry import Retry
from app.kit.resilience.timeout import timeout
from tests.kit.resilience.systems import HOUR, SOON, Hanging, System, cancel


def quick(attempts: int = 3) -> Retry:
    return Retry(ConnectionError, attempts=attempts, initial_backoff=SOON, max_backoff=SOON)


class TestRetry:
    async def test_decorates_a_function(self) -> None:
        system = System(ConnectionError(), "well")

        @quick()
        async def ask(name: str) -> str:
            return f"{name}: {await system()}"

        assert await ask(name="shop") == "shop: well"
        assert ask.__name__ == "ask"

    async def test_repeats_a_block(self) -> None:
        system = System(ConnectionError(), ConnectionError(), "well")
        retry = quick()
        for _ in range(2):
            async for attempt in retry:
                with attempt:
                    answer = await system()
            assert answer == "well"
        assert system.calls == 4

    async def test_raises_the_last_error_of_a_block(self) -> None:
        system = System(ConnectionError("1"), ConnectionError("2"))

        async def ask() -> None:
            async for attempt in quick(2):
                with attempt:
                    await system()

        with pytest.raises(ConnectionError, match="2"):
            await ask()

    @pytest.mark.parametrize("on", [OSError, (LookupError, OSError), lambda error: isinstance(error, OSError)])
    async def test_accepts_every_form_of_filter(self, on: type[Exception]) -> None:
        system = System(ConnectionError(), "well")
        assert await Retry(on, initial_backoff=SOON).call(system) == "well"

    async def test_does_not_retry_a_cancelled_call(self) -> None:
        """Also with a filter that accepts all errors but a few: an `asyncio.timeout` around it would not end it."""
        calls = 0

        async def ask() -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await Retry(lambda error: not isinstance(error, ValueError), initial_backoff=SOON).call(ask)
        assert calls == 1

    async def test_reads_the_requested_delay_from_the_error(self) -> None:
        system = System(CircuitOpenError("shop", retry_after=HOUR))
        with pytest.raises(CircuitOpenError):
            await Retry(CircuitOpenError).call(system)
        assert system.calls == 1

    def test_needs_an_attempt(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            Retry(ConnectionError, attempts=0)

    async def test_many_callers_are_spread_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thousand calls fail at the same moment: no twentieth of the backoff gets three times its share of retries.

        That holds for a capped backoff as well, and for a delay that the system requested for all of them.
        """
        delays: list[float] = []

        async def note(delay: float) -> None:
            delays.append(delay)

        monkeypatch.setattr("stamina._core._smart_sleep", note)
        second = timedelta(seconds=1)
        for retry_after, shortest, longest in ((None, 2 / 3, 1.0), (second, 1.0, 1.1)):
            delays.clear()
            retry = Retry(
                ConnectionError,
                attempts=5,
                initial_backoff=second,
                max_backoff=second,
                retry_after=lambda _error, requested=retry_after: requested,  # type: ignore[misc]  # of this round
            )
            await asyncio.gather(*(retry.call(System(*[ConnectionError()] * 4, "well")) for _ in range(250)))
            assert len(delays) == 1000
            assert min(delays) >= shortest
            assert max(delays) <= longest
            width = (longest - shortest) / 20
            shares = [sum(low * width <= delay - shortest < (low + 1) * width for delay in delays) for low in range(20)]
            assert max(shares) < 150


class TestTimeout:
    async def test_ends_a_block_and_a_function(self) -> None:
        @timeout(SOON)
        async def ask(system: Hanging) -> None:
            await system()

        for _ in range(2):
            with pytest.raises(TimeoutError):
                await ask(Hanging())
        with pytest.raises(TimeoutError):
            async with timeout(SOON):
                await Hanging()()


class TestFallback:
    async def test_replaces_the_result_of_a_function(self, capsys: pytest.CaptureFixture[str]) -> None:
        @Fallback(lambda _error: None)
        async def ask(system: System) -> str:
            return await system()

        assert await ask(System("well")) == "well"
        assert await ask(System(TimeoutError("secret"))) is None
        assert await ask(System(CircuitOpenError("shop"))) is None
        with pytest.raises(LookupError):
            await ask(System(LookupError()))
        log = "".join(capsys.readouterr())
        assert "fallback_used" in log
        assert "secret" not in log

    async def test_replaces_the_result_of_a_block(self) -> None:
        fallback = Fallback(lambda error: type(error).__name__, on=ConnectionError)
        with fallback.capture() as answer:
            answer.value = await System("well")()
        assert (answer.value, answer.error) == ("well", None)
        with fallback.capture() as answer:
            answer.value = await System(ConnectionError())()
        assert answer.value == "ConnectionError"
        assert isinstance(answer.error, ConnectionError)
        with pytest.raises(TimeoutError), fallback.capture():
            raise TimeoutError

    def test_needs_a_value(self) -> None:
        with Fallback(lambda _error: 1).capture() as answer:
            pass
        with pytest.raises(LookupError, match="not assigned"):
            _ = answer.value

    async def test_does_not_replace_a_cancellation(self) -> None:
        system = Hanging()

        @Fallback(lambda _error: None, on=Exception)
        async def ask() -> None:
            await system()

        task = asyncio.create_task(ask())
        await system.called.wait()
        await cancel(task)


class TestBulkhead:
    async def test_limits_concurrent_calls(self) -> None:
        slots = Bulkhead("printer", limit=3, max_wait=HOUR)
        running = highest = 0

        @slots.slot()
        async def print_page(number: int) -> int:
            nonlocal running, highest
            running += 1
            highest = max(highest, running)
            for _ in range(3):
                await asyncio.sleep(0)
            running -= 1
            return number

        assert await asyncio.gather(*map(print_page, range(20))) == list(range(20))
        assert highest == 3

    @pytest.mark.parametrize("max_wait", [timedelta(), SOON])
    async def test_refuses_a_call_that_would_wait_too_long(self, max_wait: timedelta) -> None:
        seen: list[tuple[str, type[BaseException] | None]] = []

        def observe(system: str) -> CallFinished:
            return lambda report: seen.append((system, None if report.error is None else type(report.error)))

        slots = Bulkhead("printer", limit=1, max_wait=max_wait)
        with observe_calls(observe):
            async with slots.slot():
                with pytest.raises(BulkheadFullError, match="printer is busy with 1 calls"):
                    async with slots.slot():
                        pytest.fail("There is one slot.")
        async with slots.slot():
            assert slots.is_full
        assert not slots.is_full
        assert seen == [("printer", BulkheadFullError)]

    async def test_cancelled_calls_free_their_slots(self) -> None:
        slots = Bulkhead("printer", limit=1, max_wait=HOUR)
        holder, waiter = Hanging(), Hanging()
        holding = asyncio.create_task(slots.slot()(holder.__call__)())
        await holder.called.wait()
        waiting = asyncio.create_task(slots.slot()(waiter.__call__)())
        await asyncio.sleep(0)
        await cancel(waiting)
        await cancel(holding)
        assert waiter.calls == 0
        async with slots.slot():
            assert slots.is_full

    def test_needs_a_slot(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            Bulkhead("printer", limit=0)
