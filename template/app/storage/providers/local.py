"""Files on this machine's disk, behind links that this application signs and serves itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.storage.addresses import Address
from app.storage.port import LOCAL, Storage, StoragePiece
from app.storage.providers import local_routes
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import LinkSigner
from app.storage.providers.local_storage import LocalStorage


class LocalSettings(ModuleSettings):
    """The folder, and the address under which links reach this application."""

    STORAGE_LOCAL_PATH: Path = Path(".local/files")
    STORAGE_LOCAL_URL: Address = ""


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    settings = runtime.resource(LocalSettings)
    disk = LocalDisk(settings.STORAGE_LOCAL_PATH)
    await asyncio.to_thread(disk.drop_old_parts)
    storage = LocalStorage(
        disk,
        LinkSigner(runtime.settings.secret_keys),
        f"{settings.STORAGE_LOCAL_URL}{runtime.settings.API_V1_STR}/public{local_routes.router.prefix}",
    )
    runtime.provide(LocalStorage, storage)
    yield storage


provider = StoragePiece(name=LOCAL, settings=LocalSettings, open=_open, public_router=local_routes.router)
