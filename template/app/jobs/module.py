"""Jobs: a queue that loses nothing, and the workers that run what is in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.data_policy.daily_report import generate_daily_report
from app.core.data_policy.retention import cleanup_old_data
from app.core.lifecycle import jobs_of
from app.core.manifest import Cron, Module, modules_of
from app.core.runtime import Runtime
from app.jobs.admin_routes import router as admin_router
from app.jobs.arq_server import ArqServer
from app.jobs.commands import jobs, worker
from app.jobs.data_policy import PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.jobs.models import Job, JobResult
from app.jobs.outbox import Outbox
from app.jobs.server import NoServer, Server, Working
from app.jobs.settings import JobsSettings
from app.redis.connection import connect
from app.redis.settings import RedisSettings

REDIS_TIMEOUT = 5.0
"""Seconds. A job that is handed over late is better than one that the sweep has to find."""


@asynccontextmanager
async def open_server(runtime: Runtime) -> AsyncIterator[Server]:
    """What tells workers of jobs: Redis, or, as in local, nothing but this process."""
    url = runtime.resource(RedisSettings).REDIS_URL
    if url is None:
        yield NoServer()
        return
    settings = runtime.settings
    lease = runtime.resource(JobsSettings).times.lease
    async with connect(url, timeout=REDIS_TIMEOUT) as client:
        queue = f"jobs:{settings.PROJECT_NAME}:{settings.ENVIRONMENT}"
        yield ArqServer(client.connection_pool, queue=queue, lease=lease)


def _working(runtime: Runtime) -> Working | None:
    """As `app worker` says; in local, where nobody wants to start two things, whoever serves works as well."""
    try:
        return runtime.resource(Working)
    except LookupError:
        return Working() if runtime.settings.is_local else None


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    crons = [cron for module in modules_of(runtime) for cron in module.crons]
    times = runtime.resource(JobsSettings).times
    async with open_server(runtime) as server:
        outbox = Outbox(
            runtime, jobs_of(modules_of(runtime)), crons, server=server, working=_working(runtime), times=times
        )
        with runtime.override(queue=outbox):
            yield


module = Module(
    name="jobs",
    models=(Job, JobResult),
    admin_router=admin_router,
    settings=(JobsSettings,),
    # The core's own, which nothing runs where there is no clock.
    crons=(
        Cron(function=generate_daily_report, minute=5, hour=0),
        Cron(function=cleanup_old_data, minute=23, hour=3),
    ),
    lifespan=_lifespan,
    commands=(worker, jobs),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    metrics=REPORT_METRICS,
)
