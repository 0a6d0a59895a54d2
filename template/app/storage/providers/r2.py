"""Files in a bucket of Cloudflare R2."""

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

NAME: Final = "r2"
REGION: Final = "auto"
"""R2 has only this one."""


class R2Settings(ModuleSettings):
    """The credentials of an API token, and the bucket."""

    R2_ACCOUNT_ID: Annotated[str, Field(pattern=r"^[0-9a-f]*$"), NEEDED] = ""
    R2_ACCESS_KEY_ID: Annotated[str, NEEDED] = ""
    R2_SECRET_ACCESS_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    R2_BUCKET: Annotated[str, Field(pattern=BUCKET_NAME), NEEDED] = ""
    R2_ENDPOINT_URL: OptionalServerUrl = ""


def bucket_url(settings: R2Settings) -> str:
    """Return the bucket's URL, at R2_ENDPOINT_URL or the account's default host."""
    host = settings.R2_ENDPOINT_URL or f"https://{settings.R2_ACCOUNT_ID}.r2.cloudflarestorage.com"
    return f"{host}/{settings.R2_BUCKET}"


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[Storage]:
    yield S3ProtocolStorage(NAME, _bucket(runtime.resource(R2Settings)))


@asynccontextmanager
async def _open_bucket(runtime: Runtime, name: str) -> AsyncIterator[Storage]:
    settings = runtime.resource(R2Settings).model_copy(update={"R2_BUCKET": name})
    yield S3ProtocolStorage(NAME, _bucket(settings), part_size=LARGE_PART_SIZE)


def _bucket(settings: R2Settings) -> Bucket:
    credentials = Credentials(
        access_key_id=settings.R2_ACCESS_KEY_ID, secret_access_key=settings.R2_SECRET_ACCESS_KEY, region=REGION
    )
    return Bucket(url=bucket_url(settings), credentials=credentials)


provider = StorageProviderSpec(name=NAME, settings=R2Settings, open=_open, open_bucket=_open_bucket)
