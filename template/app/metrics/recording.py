"""Record the operations of a process, as long as it does background work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.http.route_table import RouteTable
from app.core.jobs.names import job_name
from app.core.manifest import modules_of
from app.core.ports.operations import ExternalCall
from app.core.runtime import Runtime
from app.kit.external_calls import known_systems
from app.metrics.exposition import directory_path
from app.metrics.instruments import Instruments, instruments_in
from app.metrics.listener import MetricsListener
from app.metrics.port import serve_port
from app.metrics.process import measure_process
from app.metrics.settings import MetricsSettings


@asynccontextmanager
async def recording(runtime: Runtime) -> AsyncIterator[None]:
    """Record the operations of this process until the end of the block."""
    settings = runtime.resource(MetricsSettings)
    instruments = await asyncio.to_thread(instruments_in, directory_path(runtime))
    runtime.provide(Instruments, instruments)
    listener = MetricsListener(instruments)
    _expect(runtime, listener)
    serves_http = runtime.find_resource(RouteTable) is not None
    role = "server" if serves_http else "worker"
    tasks = [asyncio.create_task(measure_process(runtime, instruments, listener, role))]
    if settings.METRICS_PORT is not None and not serves_http:
        tasks.append(asyncio.create_task(serve_port(runtime, settings.METRICS_HOST, settings.METRICS_PORT)))
    try:
        with runtime.listen(listener):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _expect(runtime: Runtime, listener: MetricsListener) -> None:
    """Begin the series that this process can have at 0."""
    routes = runtime.find_resource(RouteTable)
    if routes is not None:
        listener.expect_routes({route.template for route in routes})
    listener.expect_jobs(job_name(job) for module in modules_of(runtime) for job in module.jobs)
    for operation in (*runtime.telemetry.expected, *(ExternalCall(system=name) for name in known_systems())):
        listener.expect(operation)
