"""Files in a bucket of Amazon S3, or of whatever else speaks its protocol."""

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

NAME: Final = "s3"


class S3Settings(ModuleSettings):
    """A key, and the bucket that it is for."""

    AWS_ACCESS_KEY_ID: Annotated[str, NEEDED] = ""
    AWS_SECRET_ACCESS_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    AWS_REGION: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
    AWS_S3_BUCKET: Annotated[str, Field(pattern=BUCKET_NAME), NEEDED] = ""
    AWS_ENDPOINT_URL: Address = ""


def bucket_url(settings: S3Settings) -> str:
    """Amazon's buckets have a host each; those of others, and those whose name no certificate covers, a path."""
    name, region = settings.AWS_S3_BUCKET, settings.AWS_REGION
    if settings.AWS_ENDPOINT_URL:
        return f"{settings.AWS_ENDPOINT_URL}/{name}"
    if "." in name:
        return f"https://s3.{region}.amazonaws.com/{name}"
    return f"https://{name}.s3.{region}.amazonaws.com"


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    settings = runtime.resource(S3Settings)
    credentials = Credentials(
        access_key_id=settings.AWS_ACCESS_KEY_ID,
        secret_access_key=settings.AWS_SECRET_ACCESS_KEY,
        region=settings.AWS_REGION,
    )
    yield ObjectStore(NAME, Bucket(url=bucket_url(settings), credentials=credentials))


provider = StoragePiece(name=NAME, settings=S3Settings, open=_open)
