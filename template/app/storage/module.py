"""Storage: users' files, and an object store for other modules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import APIRouter

from app.core.manifest import Cron, HealthCheck, Module
from app.core.runtime import Runtime
from app.storage.admin_routes import FILES
from app.storage.admin_routes import router as admin_router
from app.storage.commands import files
from app.storage.data_policy import FIGURES, LEVELS, PERSONAL_DATA, REPORT_METRICS
from app.storage.file_stores import provide_file_stores, selected
from app.storage.jobs import delete_file, remove_orphans, sweep_files
from app.storage.models import File
from app.storage.object_store import ObjectStore
from app.storage.port import LOCAL
from app.storage.providers.registry import PROVIDERS
from app.storage.routes import router
from app.storage.settings import SELECTION, StorageSettings
from app.storage.user_files import StoredUserFiles

logger = structlog.stdlib.get_logger(__name__)


def _link_router() -> APIRouter:
    public = APIRouter()
    for provider in PROVIDERS:
        if provider.public_router is not None:
            public.include_router(provider.public_router)
    return public


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(StorageSettings)
    if settings.STORAGE_PROVIDER == LOCAL != SELECTION.chosen and not settings.is_local:
        # Intended while files are moved to the other provider, otherwise a mistake.
        logger.warning("storage_is_local", chosen=SELECTION.chosen)
    piece = selected(runtime)
    async with piece.open(runtime) as provider:
        store = ObjectStore(
            provider, max_upload_size=settings.MAX_UPLOAD_SIZE, rejects_spent_links=piece.rejects_spent_links
        )
        runtime.provide(ObjectStore, store)
        with runtime.override(user_files=StoredUserFiles(runtime, store)):
            yield


async def _check(runtime: Runtime) -> None:
    await selected(runtime).check(runtime)


module = Module(
    name="storage",
    models=(File,),
    router=router,
    admin_router=admin_router,
    public_router=_link_router(),
    settings=(StorageSettings, *(provider.settings for provider in PROVIDERS)),
    jobs=(delete_file, sweep_files, remove_orphans),
    crons=(Cron(function=sweep_files, minute=17), Cron(function=remove_orphans, minute=41, hour=3)),
    health_checks=(HealthCheck(name="storage", check=_check, degrades=True),),
    setup=provide_file_stores,
    lifespan=_lifespan,
    commands=(files,),
    personal_data=PERSONAL_DATA,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    levels=LEVELS,
    admin_views=(FILES,),
)
