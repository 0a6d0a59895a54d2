"""Invalid, slow and redirected responses of the issuer."""

import asyncio
import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.auth.jwks import (
    WAIT_AFTER_SECONDS,
    KeySet,
    open_key_set,
)
from tests.auth.jwks.key_sets import ALGORITHMS, SOON, Clock, outcome, until_fetched
from tests.fakes.issuer import Issuer
from tests.fakes.server import Received, Reply, serving

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
    async def test_an_invalid_response_makes_the_issuer_unavailable(
        self, keys: KeySet, issuer: Issuer, reply: Reply
    ) -> None:
        issuer.reply = lambda: reply

        assert await outcome(keys, "RS256-1") == "unavailable"

    @pytest.mark.parametrize("reply", RUBBISH.values(), ids=RUBBISH)
    async def test_cached_keys_are_kept(self, keys: KeySet, issuer: Issuer, clock: Clock, reply: Reply) -> None:
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


class TestRequest:
    async def test_has_a_user_agent_and_refuses_compression(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")

        (headers,) = issuer.headers
        assert "jwks" in headers["user-agent"]
        assert headers["accept-encoding"] == "identity"


class TestSlowIssuer:
    @pytest.fixture(autouse=True)
    def drip(self, issuer: Issuer) -> None:
        body = json.dumps(issuer.jwks).encode()
        issuer.reply = lambda: Reply(body=body, pace=(issuer.patience, 0.02))

    async def test_the_event_loop_is_not_blocked_and_the_wait_is_limited(
        self, issuer: Issuer, http: httpx.AsyncClient
    ) -> None:
        keys = KeySet(http, f"{issuer.url}/jwks.json", ALGORITHMS, timeout=0.2)
        waiting = asyncio.create_task(outcome(keys, "RS256-1"))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.001)
            turns += 1

        assert await waiting == "unavailable"
        # A download that blocks the loop leaves one turn. A busy machine leaves few.
        assert turns > 1

    async def test_the_default_threads_are_not_used(self, keys: KeySet, issuer: Issuer) -> None:
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
