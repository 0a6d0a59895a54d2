"""Jobs: a queue that loses nothing, and the workers that run what is in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.module import Module
from app.core.queue import Cron
from app.core.runtime import Runtime, jobs_of
from app.jobs.clean_up import forget_old_jobs
from app.jobs.models import Job
from app.jobs.outbox import Outbox
from app.jobs.settings import JobsSettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(JobsSettings)
    crons = [cron for module in runtime.modules for cron in module.crons]
    runtime.queue = Outbox(runtime, jobs_of(runtime.modules), crons, times=settings.times)
    yield


module = Module(
    name="jobs",
    models=(Job,),
    settings=(JobsSettings,),
    jobs=(forget_old_jobs,),
    crons=(Cron(function=forget_old_jobs, minute=23, hour=3),),
    lifespan=_lifespan,
)
