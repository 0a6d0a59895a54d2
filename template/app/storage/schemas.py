"""What clients send and see of files."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.kit.text import Line
from app.storage.file_types import MAX_TYPE_LENGTH, check_content_type
from app.storage.names import clean_name
from app.storage.port import PresignedRequest

FileName = Annotated[str, Line(max_length=255), AfterValidator(clean_name)]
ContentType = Annotated[str, Field(max_length=MAX_TYPE_LENGTH), AfterValidator(check_content_type)]


class UploadRequest(BaseModel):
    """A file that is to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    name: FileName = Field(description="What to call it; folders and what file systems reserve are taken off.")
    content_type: ContentType = Field(description="Such as image/png.")
    size: int = Field(ge=1, le=2**53, description="In bytes, exactly.")


class Link(BaseModel):
    """A request to send, as it stands, before it expires. No other credential is needed."""

    method: str
    url: str
    headers: dict[str, str] = Field(description="To be sent as they are.")
    expires_at: datetime

    @classmethod
    def of(cls, request: PresignedRequest, base: str) -> Self:
        """The link, complete: `base` stands before a path on this application."""
        url = f"{base.rstrip('/')}{request.url}" if request.url.startswith("/") else request.url
        return cls(method=request.method, url=url, headers=dict(request.headers), expires_at=request.expires_at)


class UploadLink(Link):
    """How to upload the file; confirm it afterwards with its id."""

    id: UUID
    fields: dict[str, str] = Field(
        description="Where there are some, send a multipart form of them and, last, the content as `file`; else the "
        "body is the content itself."
    )


class Confirmation(BaseModel):
    """An upload that is done."""

    model_config = ConfigDict(extra="forbid")

    id: UUID


class FileRead(BaseModel):
    """A file, as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    content_type: str
    size: int
    created_at: datetime
    updated_at: datetime
