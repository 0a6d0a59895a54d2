"""FastAPI dependencies: `async def read(store: ObjectStoreDep) -> …`."""

from typing import Annotated

from fastapi import Depends

from app.core.http.dependencies import RuntimeDep
from app.storage.object_store import ObjectStore, get_object_store
from app.storage.service import FileService
from app.users.dependencies import CurrentUser


async def object_store(runtime: RuntimeDep) -> ObjectStore:
    """Return the application's object store."""
    return get_object_store(runtime)


ObjectStoreDep = Annotated[ObjectStore, Depends(object_store)]


async def file_service(runtime: RuntimeDep, store: ObjectStoreDep, user: CurrentUser) -> FileService:
    """Return the current user's file service."""
    return FileService(runtime, store, user.id)


FileServiceDep = Annotated[FileService, Depends(file_service)]
