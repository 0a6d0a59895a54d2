"""Metrics for Prometheus, of all processes of a machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.metrics.exposition import Exposition
from app.metrics.public_routes import router
from app.metrics.recording import recording
from app.metrics.settings import MetricsSettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    exposition = Exposition(runtime)
    runtime.provide(Exposition, exposition)
    try:
        yield
    finally:
        await exposition.close()


module = Module(
    name="metrics",
    public_router=router,
    settings=(MetricsSettings,),
    lifespan=_lifespan,
    background=recording,
)
