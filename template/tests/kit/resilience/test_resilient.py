"""Calls to other systems, with all helpers combined: retries, timeouts and the decorator."""

import asyncio
import re
from datetime import timedelta

import pytest

from app.kit.resilience.resilient import Resilient
from app.kit.resilience.retry_after import parse_retry_after
from tests.kit.resilience.shop import resilient
from tests.kit.resilience.systems import HOUR, SOON, Hanging, System

HUGE_YEAR = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"


class TestRetry:
    async def test_returns_the_result(self) -> None:
        assert await resilient().call(System("well")) == "well"

    async def test_transient_errors_are_retried(self) -> None:
        system = System(ConnectionError(), ConnectionError(), "well")

        assert await resilient().call(system) == "well"
        assert system.calls == 3

    async def test_a_retry_is_logged_without_the_message(self, capsys: pytest.CaptureFixture[str]) -> None:
        await resilient().call(System(ConnectionError("https://shop.example.com/users/ada?key=secret"), "well"))

        said = capsys.readouterr()
        assert "call_retried" in said.out + said.err
        assert "ConnectionError" in said.out + said.err
        assert "secret" not in said.out + said.err

    async def test_the_last_error_is_raised(self) -> None:
        system = System(ConnectionResetError(), ConnectionResetError(), ConnectionRefusedError())

        with pytest.raises(ConnectionRefusedError):
            await resilient().call(system)
        assert system.calls == 3

    async def test_other_errors_are_not_retried(self) -> None:
        system = System(ValueError())

        with pytest.raises(ValueError):  # noqa: PT011 - raised by the test
            await resilient().call(system)
        assert system.calls == 1

    async def test_a_call_that_is_not_repeatable_is_not_retried(self) -> None:
        system = System(ConnectionError())

        with pytest.raises(ConnectionError):
            await resilient().call(system, repeatable=False)
        assert system.calls == 1

    async def test_repeatable_can_depend_on_the_error(self) -> None:
        system = System(ConnectionRefusedError(), ConnectionResetError(), "well")

        with pytest.raises(ConnectionResetError):
            await resilient().call(system, repeatable=lambda error: isinstance(error, ConnectionRefusedError))
        assert system.calls == 2

    async def test_other_errors_are_not_retried_even_if_repeatable(self) -> None:
        system = System(ValueError())

        with pytest.raises(ValueError):  # noqa: PT011 - raised by the test
            await resilient().call(system, repeatable=lambda _error: True)
        assert system.calls == 1

    async def test_each_attempt_has_a_timeout(self) -> None:
        system = Hanging()

        with pytest.raises(TimeoutError):
            await resilient(timeout=SOON).call(system)
        assert system.calls == 3

    async def test_a_cancelled_call_is_not_retried(self) -> None:
        system = Hanging()
        task = asyncio.create_task(resilient().call(system))
        await system.called.wait()

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert system.calls == 1


class TestRetryAfter:
    """The system requests a delay before the next attempt."""

    async def test_replaces_the_backoff(self, capsys: pytest.CaptureFixture[str]) -> None:
        system = System(ConnectionError(), "well")

        assert await resilient(retry_after=lambda _error: timedelta(microseconds=750)).call(system) == "well"
        pause = re.search(r"pause=([\d.e-]+)", "".join(capsys.readouterr()))
        assert pause is not None
        assert 0.00075 <= float(pause[1]) <= 0.00083

    async def test_longer_than_the_limit_ends_the_call(self) -> None:
        system = System(ConnectionError())

        with pytest.raises(ConnectionError):
            await resilient(retry_after=lambda _error: 2 * SOON).call(system)
        assert system.calls == 1

    async def test_of_zero_retries_at_once(self) -> None:
        assert await resilient(retry_after=lambda _error: timedelta()).call(System(ConnectionError(), "well")) == "well"

    async def test_does_not_make_an_error_transient(self) -> None:
        system = System(ValueError())

        with pytest.raises(ValueError):  # noqa: PT011 - raised by the test
            await resilient(retry_after=lambda _error: timedelta()).call(system)
        assert system.calls == 1

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            (" 7 ", 7),
            ("86401", 86400),
            ("9" * 5000, 86400),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
            ("Wed, 21 Oct 9999 07:28:00 -0000", 86400),
        ],
    )
    def test_is_parsed_from_the_header(self, value: str, seconds: int) -> None:
        assert parse_retry_after(value) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "²", "٣", "Wed, 99 Oct 2015", "1e3", HUGE_YEAR])
    def test_is_none_for_an_invalid_header(self, value: str | None) -> None:
        assert parse_retry_after(value) is None


class TestTotalTimeout:
    async def test_ends_all_attempts(self) -> None:
        system = System(ConnectionError())
        shop = Resilient(
            "shop",
            transient=ConnectionError,
            timeout=SOON,
            total_timeout=2 * SOON,
            initial_backoff=HOUR,
            max_backoff=HOUR,
        )
        with pytest.raises(TimeoutError):
            await shop.call(system)
        assert system.calls == 1

    @pytest.mark.parametrize("total", [SOON, HOUR])
    def test_is_longer_than_an_attempts(self, total: timedelta) -> None:
        # An attempt that it ends counts neither way: the circuit of a system that hangs would never open.
        with pytest.raises(ValueError, match="longer than timeout"):
            Resilient("shop", transient=ConnectionError, timeout=HOUR, total_timeout=total)


class TestDecorator:
    async def test_combines_everything_and_keeps_the_signature(self) -> None:
        shop = resilient(attempts=2, threshold=2)
        system = System(ConnectionError())

        @shop.fallback(lambda error: f"{type(error).__name__} instead")
        @shop.protect()
        async def price(product: str, *, currency: str) -> str:
            """Return a price."""
            return f"{product} {currency} {await system()}"

        assert price.__name__ == "price"
        assert price.__doc__ == "Return a price."
        assert await price("book", currency="EUR") == "ConnectionError instead"
        assert system.calls == 2
        assert await price("book", currency="EUR") == "CircuitOpenError instead"
        assert system.calls == 2

    async def test_other_errors_have_no_fallback(self) -> None:
        shop = resilient()

        @shop.fallback(lambda _error: "instead")
        @shop.protect(repeatable=False)
        async def price() -> str:
            raise LookupError

        with pytest.raises(LookupError):
            await price()
