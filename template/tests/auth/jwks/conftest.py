"""A key set of the local issuer."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.auth.fetch import open_client
from app.auth.jwks import (
    KeySet,
)
from tests.auth.jwks.key_sets import ALGORITHMS, NEVER, Clock
from tests.fakes.issuer import Issuer


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
