"""Request and response bodies of the file routes."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.kit.types.file_name import FileName
from app.storage.content_type import ContentType
from app.storage.port import PresignedRequest


class UploadRequest(BaseModel):
    """A file to upload."""

    model_config = ConfigDict(extra="forbid")

    name: FileName = Field(description="The file's name. Folders and characters that file systems reserve are removed.")
    content_type: ContentType = Field(
        description="The media type, such as image/png. Parameters are dropped: audio/webm;codecs=opus is audio/webm."
    )
    size: int = Field(ge=1, le=2**53, strict=True, description="The exact size in bytes.")


class Link(BaseModel):
    """A request to send unchanged before it expires. It needs no other credentials."""

    method: str
    url: str
    headers: dict[str, str] = Field(description="Headers that must be sent unchanged.")
    expires_at: datetime

    @classmethod
    def of(cls, request: PresignedRequest) -> Self:
        """Return the response body for a presigned request."""
        return cls(method=request.method, url=request.url, headers=dict(request.headers), expires_at=request.expires_at)


class UploadLink(Link):
    """The request that uploads the file. Confirm the upload with `id` afterwards."""

    id: UUID
    fields: dict[str, str] = Field(
        description="If not empty, send a multipart form: these fields, then the content as `file`. If empty, the body "
        "is the content."
    )


class Confirmation(BaseModel):
    """A finished upload."""

    model_config = ConfigDict(extra="forbid")

    id: UUID


class FileRead(BaseModel):
    """A file of the current user."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    content_type: str
    size: int
    created_at: datetime
    updated_at: datetime
