"""Files at Cloudinary, as raw assets behind signed links."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import Field, SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.kit.urls import ServerUrl
from app.storage.port import Storage, StorageProviderSpec
from app.storage.providers.cloudinary_api import NAME, CloudinaryApi
from app.storage.providers.cloudinary_storage import CloudinaryStorage


class CloudinarySettings(ModuleSettings):
    """A product environment ("cloud") and its credentials."""

    CLOUDINARY_CLOUD_NAME: Annotated[str, Field(pattern=r"^[\w-]*$"), NEEDED] = ""
    CLOUDINARY_API_KEY: Annotated[str, NEEDED] = ""
    CLOUDINARY_API_SECRET: Annotated[SecretStr, NEEDED] = SecretStr("")
    CLOUDINARY_API_URL: ServerUrl = "https://api.cloudinary.com"


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    settings = runtime.resource(CloudinarySettings)
    api = CloudinaryApi(
        url=f"{settings.CLOUDINARY_API_URL}/v1_1/{settings.CLOUDINARY_CLOUD_NAME}",
        key=settings.CLOUDINARY_API_KEY,
        secret=settings.CLOUDINARY_API_SECRET,
    )
    async with api.opened():
        yield CloudinaryStorage(api)


provider = StorageProviderSpec(name=NAME, settings=CloudinarySettings, open=_open)
