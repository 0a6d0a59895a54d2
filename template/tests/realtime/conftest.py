"""A server with realtime connections."""

from collections.abc import AsyncIterator

import pytest

from app.core.runtime import Runtime
from app.dev.chosen_services import DEV_SERVICES
from app.main import create_app
from app.modules import MODULES
from app.realtime import relay as relay_module
from app.realtime.channels import Channels
from app.realtime.hub import Hub
from app.realtime.monitor import Monitor
from app.realtime.relay import Relay
from tests.conftest import make_client, sign_in_to
from tests.realtime.server import BreakableStreams, Rooms, Site, rooms_module, serving

# Needs a server through which processes share events.
collect_ignore = [] if any(service.is_shared() for service in DEV_SERVICES) else ["test_faults.py"]


@pytest.fixture
async def site(live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server on a loopback port, with background work and two kinds of channels."""
    monkeypatch.setattr(relay_module, "RETRY_DELAY", 0.05)
    rooms, streams, hub = Rooms(), BreakableStreams(), live_runtime.resource(Hub)
    live_runtime.provide(Channels, Channels(rooms_module(rooms).channels))
    live_runtime.streams = streams
    relay, monitor = live_runtime.resource(Relay), Monitor(live_runtime, hub)
    app = create_app(MODULES, runtime=live_runtime)
    async with (
        relay.running(),
        monitor.running(),
        serving(app) as (url, server),
        make_client(app) as client,
    ):
        sign_in = sign_in_to(live_runtime, client)
        yield Site(live_runtime, url, server, client, sign_in, rooms, relay, monitor, streams)
