"""Files in a bucket of Cloudflare R2."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from pydantic import Field, SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.storage.addresses import Address
from app.storage.port import Storage, StoragePiece
from app.storage.providers.object_store import BUCKET_NAME, Bucket, ObjectStore
from app.storage.providers.object_store_links import Credentials

NAME: Final = "r2"
REGION: Final = "auto"
"""The only one that there is."""


class R2Settings(ModuleSettings):
    """A token, and the bucket that it is for."""

    R2_ACCOUNT_ID: Annotated[str, Field(pattern=r"^[0-9a-f]*$"), NEEDED] = ""
    R2_ACCESS_KEY_ID: Annotated[str, NEEDED] = ""
    R2_SECRET_ACCESS_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    R2_BUCKET: Annotated[str, Field(pattern=BUCKET_NAME), NEEDED] = ""
    R2_ENDPOINT_URL: Address = ""


def bucket_url(settings: R2Settings) -> str:
    """The address of the bucket, at the account's own host where no other is set."""
    host = settings.R2_ENDPOINT_URL or f"https://{settings.R2_ACCOUNT_ID}.r2.cloudflarestorage.com"
    return f"{host}/{settings.R2_BUCKET}"


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    settings = runtime.resource(R2Settings)
    credentials = Credentials(
        access_key_id=settings.R2_ACCESS_KEY_ID, secret_access_key=settings.R2_SECRET_ACCESS_KEY, region=REGION
    )
    yield ObjectStore(NAME, Bucket(url=bucket_url(settings), credentials=credentials))


provider = StoragePiece(name=NAME, settings=R2Settings, open=_open)
