"""Files on this machine's disk, behind links that this application signs and serves itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from app.core.runtime import Runtime
from app.core.settings import ModuleSettings
from app.storage.port import Storage, StoragePiece
from app.storage.providers import local_routes
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import LinkSigner
from app.storage.providers.local_storage import LocalStorage
from app.storage.selection import LOCAL


def _base(value: str) -> str:
    scheme, separator, host = value.partition("://")
    if value and (scheme not in {"http", "https"} or not separator or not host or "?" in host or "#" in host):
        raise ValueError('has to be an address like "https://api.example.com"')
    return value.rstrip("/")


class LocalSettings(ModuleSettings):
    """The folder, and the address under which links reach this application."""

    STORAGE_LOCAL_PATH: Path = Path(".local/files")
    STORAGE_LOCAL_URL: Annotated[str, AfterValidator(_base)] = ""


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    settings = runtime.resource(LocalSettings)
    storage = LocalStorage(
        LocalDisk(settings.STORAGE_LOCAL_PATH),
        LinkSigner(runtime.settings.SECRET_KEY),
        f"{settings.STORAGE_LOCAL_URL}{runtime.settings.API_V1_STR}/public{local_routes.router.prefix}",
    )
    runtime.provide(LocalStorage, storage)
    yield storage


provider = StoragePiece(name=LOCAL, settings=LocalSettings, open=_open, public_router=local_routes.router)
