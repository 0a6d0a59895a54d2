"""Tracing: spans of all operations, sent to a collector by OTLP over HTTP. Off without a collector."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.tracing.exporting import open_tracer
from app.tracing.listener import TracingListener
from app.tracing.sampling import Sampler
from app.tracing.settings import TracingSettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(TracingSettings)
    if not settings.traces_url:
        yield
        return
    sampler = Sampler(settings.OTEL_TRACES_SAMPLER_ARG, settings.TRACING_PARENTS_PER_SECOND)
    async with open_tracer(runtime.settings, settings) as tracer:
        with runtime.listen(TracingListener(tracer, sampler, lambda: _database(runtime))):
            yield


def _database(runtime: Runtime) -> str:
    return runtime.database.engine.dialect.name


module = Module(name="tracing", settings=(TracingSettings,), lifespan=_lifespan)
