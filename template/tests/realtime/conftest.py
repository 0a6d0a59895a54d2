"""A server with realtime connections."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.manifest import modules_of
from app.core.runtime import Runtime
from app.realtime.channels import Channels
from app.realtime.module import module
from tests.conftest import SignIn
from tests.realtime.server import Rooms, Site, rooms_module, serving


@pytest.fixture
async def site(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
) -> AsyncIterator[Site]:
    """A server on a loopback port, with background work and two kinds of channels."""
    rooms = Rooms()
    live_runtime.provide(Channels, Channels.of([*modules_of(live_runtime), rooms_module(rooms)]))
    assert module.background is not None
    async with module.background(live_runtime), serving(live_runtime) as url:
        yield Site(live_runtime, url, live_client, live_sign_in, rooms)
