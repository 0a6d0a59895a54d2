import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.auth.fetch import open_client
from app.auth.jwks import (
    MAX_STALE_SECONDS,
    REFRESH_AFTER_SECONDS,
    RETRY_SECONDS,
    SEARCH_INTERVAL_SECONDS,
    SEARCH_PERIOD_SECONDS,
    WAIT_AFTER_SECONDS,
    KeySet,
    open_key_set,
)
from app.auth.port import InvalidTokenError
from app.core.errors import ServiceUnavailableError
from tests.fakes.issuer import Issuer, SigningKey
from tests.fakes.server import Received, Reply, serving

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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as client:
        yield client


@pytest.fixture
async def keys(issuer: Issuer, clock: Clock, http: httpx.AsyncClient) -> AsyncIterator[KeySet]:
    """A key set that waits for a download longer than any test lasts."""
    opened = KeySet(http, f"{issuer.url}/jwks.json", ALGORITHMS, timeout=NEVER, clock=clock)
    yield opened
    await opened.close()


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


class TestCache:
    async def test_keys_are_read_once(self, keys: KeySet, issuer: Issuer) -> None:
        for _ in range(20):
            assert await outcome(keys, "RS256-1") == "RS256-1"

        assert issuer.fetches == 1

    async def test_many_at_once_share_one_fetch(self, keys: KeySet, issuer: Issuer) -> None:
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

    async def test_a_withdrawn_key_is_not_accepted_after_a_quiet_night(
        self, keys: KeySet, issuer: Issuer, clock: Clock
    ) -> None:
        await outcome(keys, "RS256-1")
        issuer.rotate()
        clock.wait(WAIT_AFTER_SECONDS)

        assert await outcome(keys, "RS256-1") == "unknown"

    async def test_nothing_waits_for_a_refresh_while_keys_are_held(
        self, keys: KeySet, issuer: Issuer, clock: Clock
    ) -> None:
        await outcome(keys, "RS256-1")
        hang(issuer)
        for _ in range(3):
            clock.wait(REFRESH_AFTER_SECONDS)
            async with asyncio.timeout(SOON):
                assert await outcome(keys, "RS256-1") == "RS256-1"

    async def test_nothing_waits_once_a_download_has_failed(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()
        clock.wait(WAIT_AFTER_SECONDS)
        assert await outcome(keys, "RS256-1") == "RS256-1"
        hang(issuer)
        issuer.come_back()
        clock.wait(RETRY_SECONDS)

        async with asyncio.timeout(SOON):
            assert await outcome(keys, "RS256-1") == "RS256-1"

    async def test_one_who_goes_away_does_not_end_the_others_fetch(self, keys: KeySet) -> None:
        leaving = asyncio.create_task(outcome(keys, "RS256-1"))
        staying = asyncio.create_task(outcome(keys, "RS256-1"))
        await asyncio.sleep(0)
        leaving.cancel()

        assert await staying == "RS256-1"


class TestUnknownKey:
    async def test_a_new_key_is_found_at_once(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        new = issuer.rotate()

        assert await outcome(keys, new.kid) == new.kid

    async def test_it_causes_two_fetches_a_minute_at_most(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        for number in range(170):
            clock.wait(1)
            assert await outcome(keys, f"made-up-{number}") == "unknown"

        assert issuer.fetches == 1 + 6

    async def test_a_made_up_key_delays_a_new_one_by_seconds(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        await outcome(keys, "made-up")
        new = issuer.rotate()
        assert await outcome(keys, new.kid) == "unknown"
        clock.wait(SEARCH_INTERVAL_SECONDS)

        assert await outcome(keys, new.kid) == new.kid

    async def test_after_a_flood_it_is_looked_for_again(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        await outcome(keys, "made-up")
        clock.wait(SEARCH_INTERVAL_SECONDS)
        await outcome(keys, "made-up")
        new = issuer.rotate()
        clock.wait(SEARCH_INTERVAL_SECONDS)
        assert await outcome(keys, new.kid) == "unknown"
        clock.wait(SEARCH_PERIOD_SECONDS - 2 * SEARCH_INTERVAL_SECONDS)

        assert await outcome(keys, new.kid) == new.kid

    async def test_many_with_a_new_key_share_one_fetch_and_all_find_it(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        new = issuer.rotate()
        outcomes = await asyncio.gather(*(outcome(keys, new.kid) for _ in range(100)))

        assert set(outcomes) == {new.kid}
        assert issuer.fetches == 2

    async def test_a_flood_of_made_up_keys_is_no_flood_of_fetches(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        outcomes = await asyncio.gather(*(outcome(keys, f"made-up-{number}") for number in range(500)))

        assert set(outcomes) == {"unknown"}
        assert issuer.fetches == 2

    async def test_the_first_fetch_counts(self, keys: KeySet, issuer: Issuer) -> None:
        assert await outcome(keys, "made-up") == "unknown"
        assert issuer.fetches == 1

    async def test_no_name_is_enough_where_there_is_one_key(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.keys = [SigningKey("RS256"), SigningKey("ES256")]

        assert await outcome(keys, None, "ES256") == "ES256-1"

    async def test_no_name_is_not_enough_where_there_are_two(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.keys = [SigningKey("RS256"), SigningKey("RS256", number=2)]

        assert await outcome(keys, None) == "unknown"

    async def test_a_key_is_good_for_its_own_algorithm_only(self, keys: KeySet) -> None:
        assert await outcome(keys, "RS256-1", "ES256") == "unknown"


class TestIssuerDown:
    async def test_without_keys_nothing_can_be_said(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.go_down()

        assert await outcome(keys, "RS256-1") == "unavailable"

    async def test_many_at_once_try_once(self, keys: KeySet, issuer: Issuer) -> None:
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

    async def test_but_not_for_ever(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()
        clock.wait(MAX_STALE_SECONDS)

        assert await outcome(keys, "RS256-1") == "unavailable"

    async def test_whether_an_unknown_key_is_new_cannot_be_said(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        issuer.go_down()

        assert await outcome(keys, "made-up") == "unavailable"
        assert await outcome(keys, "RS256-1") == "RS256-1"


RUBBISH = {
    "an error": Reply(status=500),
    "an error with keys": Reply(status=404, body=b'{"keys": []}'),
    "nothing": Reply(),
    "HTML": Reply(body=b"<html>"),
    "half of it": Reply(body=b'{"keys": [', headers={"Content-Length": "400"}),
    "a list": Reply(body=b"[]"),
    "no keys": Reply(body=b'{"keys": []}'),
    "keys that are none": Reply(body=b'{"keys": [1, null, "x", {}, {"kty": 5}, {"kty": "RSA", "n": 1, "e": []}]}'),
    "keys that are an object": Reply(body=b'{"keys": {"a": 1}}'),
    "depth": Reply(body=b"[" * 100_000),
    "too much": Reply(body=b'{"keys": []}'.ljust(300_000)),
    "compressed": Reply(body=gzip.compress(b'{"keys": []}'.ljust(100)), headers={"Content-Encoding": "gzip"}),
    "an end that never comes": Reply(body=b'{"keys": []}', headers={"Content-Length": "50"}),
    "bytes": Reply(body=b"\xff\xfe\x00"),
    "a redirect to a file": Reply(status=302, headers={"Location": "file:///etc/passwd"}),
    "a redirect to another scheme": Reply(status=302, headers={"Location": "ftp://127.0.0.1/jwks.json"}),
    "a redirect to itself": Reply(status=302, headers={"Location": "/jwks.json"}),
}


class TestRubbish:
    @pytest.mark.parametrize("reply", RUBBISH.values(), ids=RUBBISH)
    async def test_it_is_as_if_the_issuer_were_down(self, keys: KeySet, issuer: Issuer, reply: Reply) -> None:
        issuer.reply = lambda: reply

        assert await outcome(keys, "RS256-1") == "unavailable"

    @pytest.mark.parametrize("reply", RUBBISH.values(), ids=RUBBISH)
    async def test_keys_that_are_held_stay(self, keys: KeySet, issuer: Issuer, clock: Clock, reply: Reply) -> None:
        await outcome(keys, "RS256-1")
        issuer.reply = lambda: reply
        clock.wait(WAIT_AFTER_SECONDS)

        assert await outcome(keys, "RS256-1") == "RS256-1"
        assert issuer.fetches > 1

    async def test_a_redirect_by_the_same_scheme_is_followed(
        self, issuer: Issuer, clock: Clock, http: httpx.AsyncClient
    ) -> None:
        def elsewhere(_request: Received) -> Reply:
            return Reply(status=302, headers={"Location": f"{issuer.url}/jwks.json"})

        with serving(elsewhere) as server:
            keys = KeySet(http, f"{server.url}/moved", ALGORITHMS, clock=clock)

            assert await outcome(keys, "RS256-1") == "RS256-1"


def published(key: SigningKey, **changes: object) -> dict[str, object]:
    return {name: value for name, value in {**key.jwk, **changes}.items() if value is not None}


UNUSABLE_KEYS = {
    "for encryption": published(SigningKey(), use="enc"),
    "for signing only": published(SigningKey(), use=None, key_ops=["sign"]),
    "of another algorithm": published(SigningKey(), alg="RS512"),
    "of an algorithm for another type": published(SigningKey(), alg="ES256"),
    "too short": SigningKey(bits=1024).jwk,
    "symmetric": {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "alg": "HS256", "kid": "RS256-1"},
    "symmetric and called RS256": {"kty": "oct", "k": "c2VjcmV0", "alg": "RS256", "kid": "RS256-1"},
    "with a name that is none": published(SigningKey(), kid=["RS256-1"]),
    "with half a key": published(SigningKey(), n=None),
    "private": published(SigningKey(), d="AQAB"),
    "on a curve that is not used": {"kty": "EC", "crv": "P-384", "x": "AQ", "y": "AQ", "kid": "RS256-1"},
}


class TestPublishedKeys:
    @pytest.fixture(autouse=True)
    def another_key(self, issuer: Issuer) -> None:
        issuer.keys = [SigningKey("ES256")]

    @pytest.mark.parametrize("jwk", UNUSABLE_KEYS.values(), ids=UNUSABLE_KEYS)
    async def test_an_unusable_key_is_passed_over(self, keys: KeySet, issuer: Issuer, jwk: dict[str, object]) -> None:
        issuer.extra_jwks = [jwk]

        assert await outcome(keys, "RS256-1") == "unknown"
        assert await outcome(keys, "ES256-1", "ES256") == "ES256-1"

    async def test_use_and_algorithm_may_be_left_out(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.extra_jwks = [published(SigningKey(), use=None, alg=None)]

        assert await outcome(keys, "RS256-1") == "RS256-1"


class TestRequest:
    async def test_it_names_itself_and_asks_for_plain_bytes(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")

        (headers,) = issuer.headers
        assert "jwks" in headers["user-agent"]
        assert headers["accept-encoding"] == "identity"


class TestSlowIssuer:
    @pytest.fixture(autouse=True)
    def drip(self, issuer: Issuer) -> None:
        body = json.dumps(issuer.jwks).encode()
        issuer.reply = lambda: Reply(body=body, pace=(issuer.patience, 0.02))

    async def test_the_loop_goes_on_and_the_wait_is_bounded(self, issuer: Issuer, http: httpx.AsyncClient) -> None:
        keys = KeySet(http, f"{issuer.url}/jwks.json", ALGORITHMS, timeout=0.2)
        waiting = asyncio.create_task(outcome(keys, "RS256-1"))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.001)
            turns += 1

        assert await waiting == "unavailable"
        assert turns > 10

    async def test_the_threads_of_the_event_loop_stay_free(self, keys: KeySet, issuer: Issuer) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as single:
            loop.set_default_executor(single)
            waiting = asyncio.create_task(outcome(keys, "RS256-1"))
            try:
                await until_fetched(issuer, 1)
                async with asyncio.timeout(SOON):
                    assert await asyncio.to_thread(lambda: "free") == "free"
                assert not waiting.done()
            finally:
                await keys.close()
                await asyncio.wait([waiting])
                loop.set_default_executor(ThreadPoolExecutor())

    async def test_a_download_ends_with_the_application(self, issuer: Issuer) -> None:
        async with asyncio.timeout(SOON), open_key_set(f"{issuer.url}/jwks.json", ALGORITHMS) as opened:
            waiting = asyncio.create_task(outcome(opened, "RS256-1"))
            await until_fetched(issuer, 1)

        await asyncio.wait([waiting])
        assert waiting.cancelled()
