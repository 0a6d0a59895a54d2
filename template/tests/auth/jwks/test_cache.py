"""Caching and refreshing keys, also while the issuer is unavailable."""

import asyncio

from app.auth.jwks import (
    MAX_STALE_SECONDS,
    REFRESH_AFTER_SECONDS,
    RETRY_SECONDS,
    WAIT_AFTER_SECONDS,
    KeySet,
)
from tests.auth.jwks.key_sets import SOON, Clock, hang, outcome, until, until_fetched
from tests.fakes.issuer import Issuer
from tests.fakes.server import Reply


class TestCache:
    async def test_keys_are_read_once(self, keys: KeySet, issuer: Issuer) -> None:
        for _ in range(20):
            assert await outcome(keys, "RS256-1") == "RS256-1"

        assert issuer.fetches == 1

    async def test_concurrent_requests_share_one_fetch(self, keys: KeySet, issuer: Issuer) -> None:
        outcomes = await asyncio.gather(*(outcome(keys, "RS256-1") for _ in range(200)))

        assert set(outcomes) == {"RS256-1"}
        assert issuer.fetches == 1

    async def test_old_keys_are_read_again(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        clock.wait(REFRESH_AFTER_SECONDS)
        await outcome(keys, "RS256-1")

        await until_fetched(issuer, 2)

    async def test_a_withdrawn_key_stops_working(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        issuer.rotate()
        clock.wait(REFRESH_AFTER_SECONDS)

        async def unknown() -> bool:
            return await outcome(keys, "RS256-1") == "unknown"

        await until(unknown)

    async def test_a_withdrawn_key_is_refused_after_a_long_idle_time(
        self, keys: KeySet, issuer: Issuer, clock: Clock
    ) -> None:
        await outcome(keys, "RS256-1")
        issuer.rotate()
        clock.wait(WAIT_AFTER_SECONDS)

        assert await outcome(keys, "RS256-1") == "unknown"

    async def test_a_refresh_does_not_block_while_keys_are_cached(
        self, keys: KeySet, issuer: Issuer, clock: Clock
    ) -> None:
        await outcome(keys, "RS256-1")
        hang(issuer)
        for _ in range(3):
            clock.wait(REFRESH_AFTER_SECONDS)
            async with asyncio.timeout(SOON):
                assert await outcome(keys, "RS256-1") == "RS256-1"

    async def test_a_retry_after_a_failed_download_does_not_block(
        self, keys: KeySet, issuer: Issuer, clock: Clock
    ) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()
        clock.wait(WAIT_AFTER_SECONDS)
        assert await outcome(keys, "RS256-1") == "RS256-1"
        hang(issuer)
        issuer.come_back()
        clock.wait(RETRY_SECONDS)

        async with asyncio.timeout(SOON):
            assert await outcome(keys, "RS256-1") == "RS256-1"

    async def test_a_cancelled_request_does_not_end_the_shared_fetch(self, keys: KeySet) -> None:
        leaving = asyncio.create_task(outcome(keys, "RS256-1"))
        staying = asyncio.create_task(outcome(keys, "RS256-1"))
        await asyncio.sleep(0)
        leaving.cancel()

        assert await staying == "RS256-1"


class TestIssuerDown:
    async def test_without_keys_the_issuer_is_unavailable(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.go_down()

        assert await outcome(keys, "RS256-1") == "unavailable"

    async def test_concurrent_requests_share_one_failed_fetch(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.reply = lambda: Reply(status=503)
        outcomes = await asyncio.gather(*(outcome(keys, "RS256-1") for _ in range(200)))

        assert set(outcomes) == {"unavailable"}
        assert issuer.fetches == 1

    async def test_it_is_tried_again_after_a_pause(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        issuer.go_down()
        await outcome(keys, "RS256-1")
        issuer.come_back()
        assert await outcome(keys, "RS256-1") == "unavailable"
        clock.wait(RETRY_SECONDS)

        assert await outcome(keys, "RS256-1") == "RS256-1"

    async def test_old_keys_are_used_meanwhile(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()
        clock.wait(MAX_STALE_SECONDS - 1)

        assert await outcome(keys, "RS256-1") == "RS256-1"

    async def test_old_keys_expire(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()
        clock.wait(MAX_STALE_SECONDS)

        assert await outcome(keys, "RS256-1") == "unavailable"

    async def test_an_unknown_key_makes_the_issuer_unavailable(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()

        assert await outcome(keys, "made-up") == "unavailable"
        assert await outcome(keys, "RS256-1") == "RS256-1"
