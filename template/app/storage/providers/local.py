"""Files on this machine's disk, behind links that this application signs and serves itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import Field

from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.storage.port import LOCAL, Storage, StorageProviderSpec
from app.storage.providers import local_routes
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import LinkSigner
from app.storage.providers.local_storage import LocalStorage


class LocalSettings(ModuleSettings):
    """The folder, and the free space that its disk must keep."""

    STORAGE_LOCAL_PATH: Path = Path(".local/files")
    STORAGE_LOCAL_MIN_FREE: int = Field(default=100 * 1024 * 1024, ge=0)


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    settings = runtime.resource(LocalSettings)
    disk = LocalDisk(settings.STORAGE_LOCAL_PATH, min_free=settings.STORAGE_LOCAL_MIN_FREE)
    base_url = f"{runtime.settings.public_api_url}/public{local_routes.router.prefix}"
    storage = LocalStorage(disk, LinkSigner(runtime.settings.secret_keys), base_url)
    runtime.provide(LocalStorage, storage)
    try:
        await storage.run(disk.remove_abandoned)
        yield storage
    finally:
        storage.close()


async def _check(runtime: Runtime) -> None:
    await runtime.resource(LocalStorage).check_space()


provider = StorageProviderSpec(
    name=LOCAL,
    settings=LocalSettings,
    open=_open,
    public_router=local_routes.router,
    check=_check,
    rejects_spent_links=True,
)
