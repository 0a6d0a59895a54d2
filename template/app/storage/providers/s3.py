"""Files in a bucket of Amazon S3 or a compatible server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from pydantic import Field, SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.kit.urls import OptionalServerUrl
from app.storage.port import Storage, StorageProviderSpec
from app.storage.providers.s3_protocol_links import Credentials
from app.storage.providers.s3_protocol_storage import BUCKET_NAME, LARGE_PART_SIZE, Bucket, S3ProtocolStorage

NAME: Final = "s3"


class S3Settings(ModuleSettings):
    """The credentials and the bucket."""

    AWS_ACCESS_KEY_ID: Annotated[str, NEEDED] = ""
    AWS_SECRET_ACCESS_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    AWS_REGION: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
    AWS_S3_BUCKET: Annotated[str, Field(pattern=BUCKET_NAME), NEEDED] = ""
    AWS_ENDPOINT_URL: OptionalServerUrl = ""


def bucket_url(settings: S3Settings) -> str:
    """Return the bucket's URL: a host of its own at Amazon, if the certificate covers its name, otherwise a path."""
    name, region = settings.AWS_S3_BUCKET, settings.AWS_REGION
    if settings.AWS_ENDPOINT_URL:
        return f"{settings.AWS_ENDPOINT_URL}/{name}"
    if "." in name:
        return f"https://s3.{region}.amazonaws.com/{name}"
    return f"https://{name}.s3.{region}.amazonaws.com"


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    yield S3ProtocolStorage(NAME, _bucket(runtime.resource(S3Settings)))


@asynccontextmanager
async def _open_bucket(runtime: Runtime, name: str) -> AsyncIterator[Storage]:
    settings = runtime.resource(S3Settings).model_copy(update={"AWS_S3_BUCKET": name})
    yield S3ProtocolStorage(NAME, _bucket(settings), part_size=LARGE_PART_SIZE)


def _bucket(settings: S3Settings) -> Bucket:
    credentials = Credentials(
        access_key_id=settings.AWS_ACCESS_KEY_ID,
        secret_access_key=settings.AWS_SECRET_ACCESS_KEY,
        region=settings.AWS_REGION,
    )
    return Bucket(url=bucket_url(settings), credentials=credentials)


provider = StorageProviderSpec(name=NAME, settings=S3Settings, open=_open, open_bucket=_open_bucket)
