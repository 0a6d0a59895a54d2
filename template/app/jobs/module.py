"""Jobs: a durable queue, workers, and scheduled jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.admin_view import AdminAction, AdminView
from app.core.data_policy.daily_report import generate_daily_report
from app.core.data_policy.retention import cleanup_old_data
from app.core.lifecycle import jobs_of
from app.core.manifest import Cron, Module, modules_of
from app.core.runtime import Runtime
from app.jobs.admin_routes import router as admin_router
from app.jobs.arq_broker import ArqBroker
from app.jobs.broker import Broker, InProcessBroker, WorkerOptions
from app.jobs.commands import crons, jobs, worker
from app.jobs.crons import crons_of
from app.jobs.data_policy import FIGURES, GAUGES, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.jobs.models import Job, JobResult, JobState
from app.jobs.outbox import Outbox
from app.jobs.settings import JobsSettings
from app.redis.connection import connect
from app.redis.settings import RedisSettings

REDIS_TIMEOUT = 5.0
"""Seconds. Longer than the cache's: handing a job over late is better than leaving it to the sweeper."""


@asynccontextmanager
async def open_broker(runtime: Runtime) -> AsyncIterator[Broker]:
    """Open the broker: Redis, or this process if REDIS_URL is not set, as in local."""
    url = runtime.resource(RedisSettings).REDIS_URL
    if url is None:
        yield InProcessBroker()
        return
    settings = runtime.settings
    lease = runtime.resource(JobsSettings).timing.lease
    async with connect(url, timeout=REDIS_TIMEOUT) as client:
        queue = f"jobs:{settings.PROJECT_NAME}:{settings.ENVIRONMENT}"
        yield ArqBroker(client.connection_pool, queue=queue, lease=lease)


def _worker_options(runtime: Runtime) -> WorkerOptions | None:
    """Return the options of `app worker`. In local, the server runs jobs too, so that one process is enough."""
    try:
        return runtime.resource(WorkerOptions)
    except LookupError:
        return WorkerOptions() if runtime.settings.is_local else None


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    timing = runtime.resource(JobsSettings).timing
    async with open_broker(runtime) as broker:
        outbox = Outbox(
            runtime,
            jobs_of(modules_of(runtime)),
            crons_of(runtime),
            broker=broker,
            worker=_worker_options(runtime),
            timing=timing,
        )
        with runtime.override(queue=outbox):
            yield


module = Module(
    name="jobs",
    models=(Job, JobResult),
    admin_router=admin_router,
    settings=(JobsSettings,),
    # The core's jobs, which nothing schedules without this module.
    crons=(
        Cron(function=generate_daily_report, minute=5, hour=0),
        Cron(function=cleanup_old_data, minute=23, hour=3),
    ),
    lifespan=_lifespan,
    commands=(worker, jobs, crons),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    gauges=GAUGES,
    admin_views=(
        AdminView(
            title="Jobs",
            path="/jobs",
            columns=("name", "state", "attempts", "run_at", "error"),
            actions=(
                AdminAction(path="/retry", only_if={"state": (JobState.DEAD,)}),
                AdminAction(method="DELETE", label="Cancel job", only_if={"state": (JobState.WAITING,)}, danger=True),
            ),
        ),
    ),
)
