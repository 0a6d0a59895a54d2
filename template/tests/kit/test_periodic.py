"""Work that is repeated in the background."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.kit import periodic
from app.kit.periodic import repeating

SOON = timedelta(milliseconds=1)
NEVER = timedelta(days=1)


async def test_begins_at_once_and_continues_after_an_error() -> None:
    third, rounds = asyncio.Event(), 0

    async def step(_stop: asyncio.Event) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise OSError
        if rounds == 3:
            third.set()

    with capture_logs() as logs:
        async with asyncio.timeout(5), repeating(step, interval=SOON, failure="step_failed"):
            await third.wait()

    assert [line["event"] for line in logs] == ["step_failed"]


async def test_the_current_step_may_finish() -> None:
    begun, finished = asyncio.Event(), False

    async def step(stop: asyncio.Event) -> None:
        nonlocal finished
        begun.set()
        await stop.wait()
        finished = True

    async with asyncio.timeout(5), repeating(step, interval=NEVER, failure="step_failed"):
        await begun.wait()
        assert not finished

    assert finished


async def test_a_step_that_hangs_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "STOP_TIMEOUT", SOON)
    begun, cancelled = asyncio.Event(), False

    async def step(_stop: asyncio.Event) -> None:
        nonlocal cancelled
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    async with asyncio.timeout(5), repeating(step, interval=NEVER, failure="step_failed"):
        await begun.wait()

    assert cancelled


async def test_the_pause_ends_with_the_block() -> None:
    begun = asyncio.Event()

    async def step(_stop: asyncio.Event) -> None:
        begun.set()

    async with asyncio.timeout(5), repeating(step, interval=NEVER, failure="step_failed"):
        await begun.wait()
