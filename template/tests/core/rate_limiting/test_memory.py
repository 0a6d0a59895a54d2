"""Rate limits in memory: a sliding-window counter per key."""

import asyncio
import time

import pytest
from pydantic import TypeAdapter

from app.core.rate_limiting.memory import MemoryLimiter
from app.core.rate_limiting.port import Rate, parse_rate


@pytest.fixture
def clock() -> list[float]:
    """The time in seconds, ten seconds into a minute: a list of one, to be set."""
    return [1_000_000_030.0]


@pytest.fixture
def limiter(clock: list[float]) -> MemoryLimiter:
    return MemoryLimiter(clock=lambda: clock[0])


class TestRates:
    @pytest.mark.parametrize(
        ("rate", "parsed"),
        [
            ("60/minute", (60, 60)),
            ("5/hour", (5, 3600)),
            ("1/second", (1, 1)),
            ("100/15 minutes", (100, 900)),
            ("10 per day", (10, 86_400)),
            (" 7 / 2 Minutes ", (7, 120)),
        ],
    )
    def test_are_a_number_per_time(self, rate: str, parsed: tuple[int, int]) -> None:
        assert parse_rate(rate) == parsed

    @pytest.mark.parametrize(
        "rate",
        ["", "60", "sixty/minute", "60/fortnight", "0/minute", "5/0 hours", "-1/minute", "1/second;5/hour", "off"],
    )
    def test_of_any_other_form_are_refused_with_an_example(self, rate: str) -> None:
        with pytest.raises(ValueError, match="60/minute"):
            parse_rate(rate)

    @pytest.mark.parametrize("rate", ["off", "OFF"])
    def test_of_a_setting_can_be_off(self, rate: str) -> None:
        assert TypeAdapter(Rate).validate_python(rate) == "off"


class TestHit:
    async def test_admits_as_many_as_the_rate(self, limiter: MemoryLimiter, clock: list[float]) -> None:
        verdicts = [await limiter.hit("3/minute", "me") for _ in range(4)]

        assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
        assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
        assert all(verdict.limit == 3 for verdict in verdicts)
        assert verdicts[3].reset == 50
        assert clock == [1_000_000_030.0]

    async def test_admits_again_after_the_announced_time(self, limiter: MemoryLimiter, clock: list[float]) -> None:
        for _ in range(3):
            await limiter.hit("3/minute", "me")
        refused = await limiter.hit("3/minute", "me")

        clock[0] += refused.reset - 1
        assert not (await limiter.hit("3/minute", "me")).allowed
        clock[0] += 2
        assert (await limiter.hit("3/minute", "me")).allowed
        assert not (await limiter.hit("3/minute", "me")).allowed

    async def test_does_not_reset_with_the_minute(self, limiter: MemoryLimiter, clock: list[float]) -> None:
        clock[0] += 49
        for _ in range(10):
            await limiter.hit("10/minute", "me")
        clock[0] += 2

        passed = [(await limiter.hit("10/minute", "me")).allowed for _ in range(10)]

        assert sum(passed) == 1

    async def test_forgets_counts_that_are_two_windows_old(self, limiter: MemoryLimiter, clock: list[float]) -> None:
        for _ in range(3):
            await limiter.hit("3/minute", "me")
        clock[0] += 120

        assert (await limiter.hit("3/minute", "me")).remaining == 2

    async def test_a_refused_request_is_not_counted(self, limiter: MemoryLimiter, clock: list[float]) -> None:
        for _ in range(50):
            await limiter.hit("3/minute", "me")
        clock[0] += 120

        assert (await limiter.hit("3/minute", "me")).allowed

    async def test_counts_each_key_separately(self, limiter: MemoryLimiter) -> None:
        await limiter.hit("1/hour", "me")

        assert (await limiter.hit("1/hour", "you")).allowed

    async def test_a_hundred_concurrent_hits_are_counted_exactly(self, limiter: MemoryLimiter) -> None:
        verdicts = await asyncio.gather(*(limiter.hit("40/hour", "me") for _ in range(100)))

        assert sum(verdict.allowed for verdict in verdicts) == 40


class TestMemory:
    async def test_is_bounded(self, clock: list[float]) -> None:
        limiter = MemoryLimiter(max_keys=100, clock=lambda: clock[0])
        for number in range(1000):
            await limiter.hit("9/hour", f"visitor {number}")

        assert (await limiter.hit("9/hour", "visitor 999")).remaining == 7
        assert (await limiter.hit("9/hour", "visitor 1")).remaining == 8

    async def test_drops_a_blocked_key_last(self, clock: list[float]) -> None:
        limiter = MemoryLimiter(max_keys=100, clock=lambda: clock[0])
        for _ in range(3):
            await limiter.hit("2/hour", "blocked")
        for number in range(1000):
            await limiter.hit("2/hour", f"visitor {number}")

        assert not (await limiter.hit("2/hour", "blocked")).allowed

    async def test_of_only_blocked_keys_drops_the_oldest(self, clock: list[float]) -> None:
        limiter = MemoryLimiter(max_keys=100, clock=lambda: clock[0])
        for number in range(101):
            await limiter.hit("1/hour", f"visitor {number}")

        assert not (await limiter.hit("1/hour", "visitor 1")).allowed
        assert (await limiter.hit("1/hour", "visitor 0")).allowed

    async def test_drops_blocked_keys_that_have_expired_before_others(self, clock: list[float]) -> None:
        limiter = MemoryLimiter(max_keys=2, clock=lambda: clock[0])
        await limiter.hit("1/minute", "was blocked")
        clock[0] += 121
        for visitor in ("first", "second"):
            await limiter.hit("9/minute", visitor)

        assert (await limiter.hit("9/minute", "first")).remaining == 7

    async def test_ignores_changes_of_the_system_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limiter = MemoryLimiter()
        for _ in range(2):
            await limiter.hit("1/hour", "blocked")
        monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)

        assert not (await limiter.hit("1/hour", "blocked")).allowed
