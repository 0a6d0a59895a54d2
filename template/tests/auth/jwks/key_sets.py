"""Helpers for the tests of key sets: a clock, and the outcome of a look-up."""

import asyncio
from collections.abc import Awaitable, Callable

from app.auth.jwks import (
    KeySet,
)
from app.auth.port import InvalidTokenError
from app.core.errors import ServiceUnavailableError
from tests.fakes.issuer import Issuer
from tests.fakes.server import Reply

ALGORITHMS = ("RS256", "ES256")

SOON, NEVER = 10, 300
"""Seconds: longer than any machine needs, and longer than any test waits."""


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def hang(issuer: Issuer) -> None:
    """Let the issuer accept connections and not answer until the test ends."""

    def answer() -> Reply:
        issuer.patience.wait()
        return Reply()

    issuer.reply = answer


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while True:
            if await condition():
                return
            await asyncio.sleep(0)


async def until_fetched(issuer: Issuer, times: int) -> None:
    async def fetched() -> bool:
        return issuer.fetches == times

    await until(fetched)


async def outcome(keys: KeySet, kid: str | None, algorithm: str = "RS256") -> str:
    try:
        return (await keys.keys(algorithm, kid))[0].key_id or "found"
    except InvalidTokenError:
        return "unknown"
    except ServiceUnavailableError:
        return "unavailable"
