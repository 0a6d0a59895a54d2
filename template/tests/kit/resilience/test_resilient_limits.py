"""Calls to other systems, with all helpers combined: circuit, bulkhead and telemetry."""

import asyncio
from datetime import timedelta

import pytest

from app.kit.external_calls import CallFinished, CallReport, observe_calls
from app.kit.resilience.bulkhead import Bulkhead
from app.kit.resilience.errors import BulkheadFullError, CircuitOpenError, UnavailableError
from app.kit.resilience.resilient import Resilient
from tests.kit.resilience.shop import resilient
from tests.kit.resilience.systems import SOON, Hanging, System, cancel


class TestCircuit:
    async def test_opens_after_repeated_failures(self) -> None:
        system = System(ConnectionError())
        shop = resilient(attempts=1, threshold=2)
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await shop.call(system)

        with pytest.raises(UnavailableError, match="shop has failed repeatedly"):
            await shop.call(system)
        assert system.calls == 2

    async def test_an_open_circuit_ends_the_retries(self) -> None:
        system = System(ConnectionError())
        shop = resilient(attempts=5, threshold=2)

        with pytest.raises(UnavailableError):
            await shop.call(system)
        assert system.calls == 2

    async def test_timeouts_open_it(self) -> None:
        shop = resilient(attempts=1, threshold=1, timeout=SOON)
        with pytest.raises(TimeoutError):
            await shop.call(Hanging())

        with pytest.raises(UnavailableError):
            await shop.call(System("well"))

    async def test_errors_that_are_not_failures_do_not_open_it(self) -> None:
        refused = System(ValueError())
        shop = resilient(attempts=1, threshold=1)
        for _ in range(3):
            with pytest.raises(ValueError):  # noqa: PT011 - raised by the test
                await shop.call(refused)

        assert await shop.call(System("well")) == "well"

    async def test_only_consecutive_failures_count(self) -> None:
        shop = resilient(attempts=1, threshold=2)
        for outcome in (ConnectionError(), "well", ConnectionError(), "well"):
            system = System(outcome)
            if isinstance(outcome, str):
                assert await shop.call(system) == "well"
            else:
                with pytest.raises(ConnectionError):
                    await shop.call(system)

    async def test_closes_after_a_successful_probe(self) -> None:
        shop = resilient(attempts=1, threshold=1, recovery=timedelta())
        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))

        assert await shop.call(System("well")) == "well"
        assert await shop.call(System("well")) == "well"

    async def test_reopens_after_a_failed_probe(self) -> None:
        # Long enough that no busy machine takes as long between the last two calls.
        shop = resilient(attempts=1, threshold=3, recovery=timedelta(milliseconds=300))
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await shop.call(System(ConnectionError()))
        still_down = System(ConnectionError())
        while not still_down.calls:
            with pytest.raises((ConnectionError, UnavailableError)):
                await shop.call(still_down)
            await asyncio.sleep(0.01)

        with pytest.raises(UnavailableError):
            await shop.call(System("well"))

    async def test_one_of_many_waiting_calls_probes_and_no_retry_adds_another(self) -> None:
        shop = resilient(attempts=3, threshold=1, recovery=timedelta())
        system = System(ConnectionError())
        with pytest.raises(ConnectionError):
            await shop.call(system, repeatable=False)
        probe = Hanging()
        probing = asyncio.create_task(shop.call(probe))
        await probe.called.wait()

        outcomes = await asyncio.gather(*(shop.call(system) for _ in range(1000)), return_exceptions=True)

        assert {type(outcome) for outcome in outcomes} == {CircuitOpenError}
        assert system.calls == 1
        await cancel(probing)

    async def test_a_cancelled_call_counts_neither_way(self) -> None:
        shop = resilient(attempts=1, threshold=2)
        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))
        hanging = Hanging()
        task = asyncio.create_task(shop.call(hanging))
        await hanging.called.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))
        with pytest.raises(UnavailableError):
            await shop.call(System("well"))

    async def test_counts_streams(self) -> None:
        shop = resilient(threshold=1)
        with pytest.raises(ConnectionError):
            async with shop.guard():
                raise ConnectionError

        with pytest.raises(UnavailableError):
            async with shop.guard():
                pytest.fail("The circuit is open.")


class TestObserver:
    async def test_sees_every_attempt_and_every_refusal(self) -> None:
        seen: list[tuple[str, type[BaseException] | None]] = []
        circuits: list[tuple[str | None, bool]] = []

        def observe(system: str) -> CallFinished:
            def finish(report: CallReport) -> None:
                seen.append((system, None if report.error is None else type(report.error)))
                circuits.append((report.circuit, report.is_refused))

            return finish

        calls = resilient(threshold=2)
        with observe_calls(observe):
            await calls.call(System(ConnectionError(), "well"))
            with pytest.raises(UnavailableError):
                await calls.call(System(ConnectionError()))

        assert seen == [
            ("shop", ConnectionError),
            ("shop", None),
            ("shop", ConnectionError),
            ("shop", ConnectionError),
            ("shop", CircuitOpenError),
        ]
        closed, opened = ("closed", False), ("open", False)
        assert circuits == [closed, closed, closed, opened, ("open", True)]


class TestBulkhead:
    async def test_a_full_one_is_neither_retried_nor_a_failure(self) -> None:
        shop = Resilient(
            "shop",
            transient=ConnectionError,
            threshold=1,
            bulkhead=Bulkhead("shop", limit=1, max_wait=timedelta()),
        )
        system = System("well")
        async with shop.guard():
            with pytest.raises(BulkheadFullError):
                await shop.call(system)
        assert system.calls == 0
        assert await shop.call(system) == "well"

    async def test_a_slot_is_free_between_two_attempts(self) -> None:
        slots = Bulkhead("shop", limit=1, max_wait=timedelta())
        free: list[bool] = []

        def retry_after(_error: Exception) -> timedelta:
            free.append(not slots.is_full)
            return timedelta()

        shop = Resilient("shop", transient=ConnectionError, retry_after=retry_after, bulkhead=slots)
        await shop.call(System(ConnectionError(), "well"))
        assert free == [True]

    async def test_a_call_that_waited_for_a_slot_is_not_made_if_the_circuit_has_opened_meanwhile(self) -> None:
        shop = Resilient(
            "shop",
            transient=ConnectionError,
            threshold=1,
            attempts=1,
            bulkhead=Bulkhead("shop", limit=1, max_wait=timedelta(seconds=5)),
        )
        calls = 0

        async def fail() -> None:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            raise ConnectionError

        outcomes = await asyncio.gather(shop.call(fail), shop.call(fail), return_exceptions=True)

        assert [type(outcome) for outcome in outcomes] == [ConnectionError, CircuitOpenError]
        assert calls == 1
