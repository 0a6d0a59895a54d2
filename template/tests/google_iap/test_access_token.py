"""Access tokens of the service account: requested once, kept until shortly before they expire."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from app.dev.servers.google_play.store import GooglePlay
from app.google_iap.access_token import AccessTokens, ServiceAccountRefusedError
from app.google_iap.settings import GooglePlaySettings
from tests.fakes.server import Received, Reply, serving


class Clock:
    """A clock that a test moves."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http_client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as opened:
        yield opened


@pytest.fixture
def tokens(google_play: GooglePlay, http_client: httpx.AsyncClient) -> AccessTokens:  # noqa: ARG001 - the order matters
    return AccessTokens(http_client, GooglePlaySettings().service_account)


async def test_concurrent_calls_share_one_request(tokens: AccessTokens, google_play: GooglePlay) -> None:
    found = await asyncio.gather(*(tokens.get() for _ in range(20)))

    assert set(found) == set(google_play.tokens)
    assert len(google_play.tokens) == 1


async def test_a_refused_token_is_replaced_once(tokens: AccessTokens, google_play: GooglePlay) -> None:
    first = await tokens.get()
    tokens.discard(first)
    second = await tokens.get()
    # Others that were refused with the first one don't discard the second.
    tokens.discard(first)

    assert await tokens.get() == second != first
    assert len(google_play.tokens) == 2


async def test_it_is_replaced_before_it_expires(
    google_play: GooglePlay,  # noqa: ARG001 - the order matters
    http_client: httpx.AsyncClient,
    clock: Clock,
) -> None:
    answered: list[int] = []

    def answer(_request: Received) -> Reply:
        answered.append(1)
        body = b'{"access_token": "token-%d", "expires_in": 3600}' % len(answered)
        return Reply(body=body, headers={"Content-Type": "application/json"})

    with serving(answer) as server:
        account = GooglePlaySettings().service_account.model_copy(update={"token_uri": f"{server.url}/token"})
        tokens = AccessTokens(http_client, account, clock=clock)
        seen = []
        for minutes in (0, 57, 2):
            clock.now += timedelta(minutes=minutes).total_seconds()
            seen.append(await tokens.get())

    assert seen == ["token-1", "token-1", "token-2"]


async def test_a_refused_key_is_explained(tokens: AccessTokens, google_play: GooglePlay) -> None:
    google_play.token_fault = 400
    with pytest.raises(ServiceAccountRefusedError):
        await tokens.get()
    google_play.token_fault = None

    assert await tokens.get()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"access_token": ""}', b'{"access_token": "a", "expires_in": -5}'])
async def test_an_unexpected_answer_is_an_error(
    google_play: GooglePlay,  # noqa: ARG001 - the order matters
    http_client: httpx.AsyncClient,
    body: bytes,
) -> None:
    with serving(lambda _request: Reply(body=body)) as server:
        account = GooglePlaySettings().service_account.model_copy(update={"token_uri": server.url})
        with pytest.raises(ValueError, match="validation error"):
            await AccessTokens(http_client, account).get()
