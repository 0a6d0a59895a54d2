"""Counting by a sliding window."""

import asyncio
import time

import pytest

from app.core.ports.rate_limiter import SlidingWindowLimiter, parse_rate
from app.core.ports.rate_limiter_memory import BoundedMemoryStorage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set: a list of one."""
    now = [1_000_000_030.0]  # ten seconds into a minute
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.fixture
def limiter() -> SlidingWindowLimiter:
    return SlidingWindowLimiter(BoundedMemoryStorage())


class TestRates:
    @pytest.mark.parametrize(
        ("rate", "parsed"),
        [
            ("60/minute", (60, 60)),
            ("5/hour", (5, 3600)),
            ("1/second", (1, 1)),
            ("100/15 minutes", (100, 900)),
            ("10 per day", (10, 86_400)),
        ],
    )
    def test_are_a_number_per_time(self, rate: str, parsed: tuple[int, int]) -> None:
        assert parse_rate(rate) == parsed

    @pytest.mark.parametrize(
        "rate", ["", "60", "sixty/minute", "60/fortnight", "0/minute", "-1/minute", "1/second;5/hour"]
    )
    def test_of_any_other_form_are_refused_with_an_example(self, rate: str) -> None:
        with pytest.raises(ValueError, match="60/minute"):
            parse_rate(rate)


class TestHit:
    async def test_lets_as_many_pass_as_the_rate_says(self, limiter: SlidingWindowLimiter, clock: list[float]) -> None:
        verdicts = [await limiter.hit("3/minute", "me") for _ in range(4)]

        assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
        assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
        assert all(verdict.limit == 3 for verdict in verdicts)
        assert verdicts[3].reset == 50
        assert clock == [1_000_000_030.0]

    async def test_lets_one_pass_again_when_it_said(self, limiter: SlidingWindowLimiter, clock: list[float]) -> None:
        for _ in range(3):
            await limiter.hit("3/minute", "me")
        refused = await limiter.hit("3/minute", "me")

        clock[0] += refused.reset - 1
        assert not (await limiter.hit("3/minute", "me")).allowed
        clock[0] += 2
        assert (await limiter.hit("3/minute", "me")).allowed
        assert not (await limiter.hit("3/minute", "me")).allowed

    async def test_does_not_start_afresh_with_the_clock_s_minute(
        self, limiter: SlidingWindowLimiter, clock: list[float]
    ) -> None:
        clock[0] += 49
        for _ in range(10):
            await limiter.hit("10/minute", "me")
        clock[0] += 2

        passed = [(await limiter.hit("10/minute", "me")).allowed for _ in range(10)]

        assert sum(passed) == 1

    async def test_forgets_what_is_two_windows_old(self, limiter: SlidingWindowLimiter, clock: list[float]) -> None:
        for _ in range(3):
            await limiter.hit("3/minute", "me")
        clock[0] += 120

        assert (await limiter.hit("3/minute", "me")).remaining == 2

    async def test_a_refused_request_costs_nothing(self, limiter: SlidingWindowLimiter, clock: list[float]) -> None:
        for _ in range(50):
            await limiter.hit("3/minute", "me")
        clock[0] += 120

        assert (await limiter.hit("3/minute", "me")).allowed

    async def test_counts_keys_apart(self, limiter: SlidingWindowLimiter) -> None:
        await limiter.hit("1/hour", "me")

        assert (await limiter.hit("1/hour", "you")).allowed

    async def test_a_hundred_at_once_are_counted_one_by_one(self, limiter: SlidingWindowLimiter) -> None:
        verdicts = await asyncio.gather(*(limiter.hit("40/hour", "me") for _ in range(100)))

        assert sum(verdict.allowed for verdict in verdicts) == 40


class TestMemory:
    async def test_is_bounded_and_keeps_who_came_last(self) -> None:
        limiter = SlidingWindowLimiter(BoundedMemoryStorage(max_keys=100))
        for number in range(1000):
            await limiter.hit("1/hour", "regular")
            await limiter.hit("1/hour", f"passer-by {number}")
            await limiter.hit("2/hour", "regular of another rate")

        assert not (await limiter.hit("1/hour", "passer-by 999")).allowed
        assert (await limiter.hit("1/hour", "passer-by 1")).allowed

    async def test_can_be_cleared_of_a_key(self) -> None:
        storage = BoundedMemoryStorage()
        limiter = SlidingWindowLimiter(storage)
        await limiter.hit("1/hour", "me")

        await storage.clear_sliding_window("me 1/hour", 3600)

        assert (await limiter.hit("1/hour", "me")).allowed
