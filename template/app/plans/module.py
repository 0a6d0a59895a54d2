"""Plans: what users may use, and how much of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.plans.catalog import PlanCatalog


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    runtime.provide(PlanCatalog, PlanCatalog.load())
    yield


module = Module(name="plans", lifespan=_lifespan)
