"""Realtime events over WebSockets: channels, a history for reconnecting clients, and presence."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.auth.bearer import HandshakeTokens
from app.core.manifest import DeclaredChannels, Module
from app.core.runtime import Runtime
from app.realtime.channels import Channels
from app.realtime.commands import realtime
from app.realtime.data_policy import FIGURES, REPORT_METRICS, RETENTION
from app.realtime.hub import Hub
from app.realtime.models import RealtimeOutboxEvent
from app.realtime.monitor import Monitor
from app.realtime.publisher import Publisher
from app.realtime.relay import Relay
from app.realtime.routes import router
from app.realtime.settings import RealtimeSettings
from app.realtime.tickets import Tickets


def _setup(runtime: Runtime) -> None:
    tickets = Tickets(runtime, f"{runtime.settings.API_V1_STR}/app/ws")
    runtime.provide(Channels, Channels(runtime.resource(DeclaredChannels).channels))
    runtime.provide(Tickets, tickets)
    runtime.provide(HandshakeTokens, tickets)


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    relay, hub = Relay(runtime), Hub(runtime)
    publisher = Publisher(runtime, relay)
    runtime.provide(Relay, relay)
    runtime.provide(Hub, hub)
    with runtime.override(realtime=publisher):
        try:
            yield
        finally:
            await publisher.finish()
            await relay.flush()
            await hub.stop()


@asynccontextmanager
async def _background(runtime: Runtime) -> AsyncIterator[None]:
    async with runtime.resource(Relay).running(), Monitor(runtime, runtime.resource(Hub)).running():
        yield


module = Module(
    name="realtime",
    models=(RealtimeOutboxEvent,),
    router=router,
    # A plan's quota of calls must not cut off the events.
    unmetered=True,
    settings=(RealtimeSettings,),
    setup=_setup,
    lifespan=_lifespan,
    background=_background,
    commands=(realtime,),
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
)
