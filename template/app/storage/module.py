"""Storage: users' files, and a store for whatever other modules keep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import APIRouter

from app.core.manifest import Cron, Module
from app.core.runtime import Runtime
from app.storage.commands import files
from app.storage.data_policy import PERSONAL_DATA, REPORT_METRICS
from app.storage.exports import StoredUserFiles
from app.storage.jobs import delete_file, remove_orphans, sweep_files
from app.storage.models import File
from app.storage.port import LOCAL
from app.storage.providers.registry import PROVIDERS
from app.storage.routes import router
from app.storage.service import StorageService
from app.storage.settings import SELECTION, StorageSettings

logger = structlog.stdlib.get_logger(__name__)


def _links() -> APIRouter:
    public = APIRouter()
    for provider in PROVIDERS:
        if provider.public_router is not None:
            public.include_router(provider.public_router)
    return public


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(StorageSettings)
    if settings.STORAGE_PROVIDER == LOCAL != SELECTION.chosen and not settings.is_local:
        # It may be meant, as long as files are on their way from one to the other; and it may be forgotten.
        logger.warning("storage_is_local", chosen=SELECTION.chosen)
    piece = next(provider for provider in PROVIDERS if provider.name == settings.STORAGE_PROVIDER)
    async with piece.open(runtime) as provider:
        storage = StorageService(provider, max_upload_size=settings.MAX_UPLOAD_SIZE)
        runtime.provide(StorageService, storage)
        with runtime.override(user_files=StoredUserFiles(runtime, storage)):
            yield


module = Module(
    name="storage",
    models=(File,),
    router=router,
    public_router=_links(),
    settings=(StorageSettings, *(provider.settings for provider in PROVIDERS)),
    jobs=(delete_file, sweep_files, remove_orphans),
    crons=(Cron(function=sweep_files, minute=17), Cron(function=remove_orphans, minute=41, hour=3)),
    lifespan=_lifespan,
    commands=(files,),
    personal_data=PERSONAL_DATA,
    metrics=REPORT_METRICS,
)
