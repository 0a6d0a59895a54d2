"""A server with realtime connections."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.manifest import modules_of
from app.core.runtime import Runtime
from app.realtime import relay as relay_module
from app.realtime.channels import Channels
from app.realtime.hub import Hub
from app.realtime.monitor import Monitor
from app.realtime.relay import Relay
from tests.conftest import SignIn
from tests.realtime.server import BreakableStreams, Rooms, Site, rooms_module, serving


@pytest.fixture
async def site(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """A server on a loopback port, with background work and two kinds of channels."""
    monkeypatch.setattr(relay_module, "RETRY_DELAY", 0.05)
    rooms, streams, hub = Rooms(), BreakableStreams(), live_runtime.resource(Hub)
    live_runtime.provide(Channels, Channels.of([*modules_of(live_runtime), rooms_module(rooms)]))
    live_runtime.streams = streams
    relay, monitor = live_runtime.resource(Relay), Monitor(live_runtime, hub)
    async with relay.running(), monitor.running(), serving(live_runtime) as url:
        yield Site(live_runtime, url, live_client, live_sign_in, rooms, relay, monitor, streams)
