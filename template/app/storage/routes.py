"""Routes for the current user's files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status
from sqlmodel import col

from app.core.db.pagination import Page, PageDep
from app.core.errors import NotFoundError
from app.core.http.dependencies import SessionDep
from app.kit.text import SearchText
from app.storage.dependencies import FileServiceDep
from app.storage.models import File, FileStatus
from app.storage.repository import FileRepository
from app.storage.schemas import Confirmation, FileRead, Link, UploadLink, UploadRequest
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/files")


@router.post("/upload-url", status_code=status.HTTP_201_CREATED)
async def create_upload_url(files: FileServiceDep, data: UploadRequest) -> UploadLink:
    """Create an upload link.

    Send the returned request, then confirm the upload. An upload that isn't confirmed within an hour expires. Returns
    413 if the file or the total of your files is too large, and 429 if you have too many pending uploads.
    """
    id_, upload = await files.start_upload(data)
    return UploadLink(id=id_, fields=dict(upload.fields), **Link.of(upload).model_dump())


@router.post("/confirm")
async def confirm_upload(files: FileServiceDep, data: Confirmation) -> FileRead:
    """Confirm an upload.

    Checks the size and the type of the uploaded content, and adds it to your files. Idempotent.
    """
    return FileRead.model_validate(await files.confirm(data.id))


@router.get("")
async def list_files(
    session: SessionDep,
    user: CurrentUser,
    page: PageDep,
    search: Annotated[SearchText | None, Query(description="Part of a file's name.")] = None,
) -> Page[FileRead]:
    """List the current user's files, newest first."""
    stored = col(File.status) == FileStatus.STORED
    return await FileRepository(session).page(FileRead, page, stored, owner_id=user.id, search=search)


# The converter keeps `/files/confirm` and `/files/upload-url` from matching as ids for other methods.
@router.get("/{file_id:uuid}")
async def read_file(session: SessionDep, user: CurrentUser, file_id: UUID) -> FileRead:
    """Get a file's metadata."""
    file = await FileRepository(session).one(user.id, file_id, FileStatus.STORED)
    if file is None:
        raise NotFoundError("File", file_id)
    return FileRead.model_validate(file)


@router.get("/{file_id:uuid}/download-url")
async def create_download_url(files: FileServiceDep, file_id: UUID) -> Link:
    """Create a download link.

    The link is valid for 15 minutes. A browser saves the content and never displays it.
    """
    return Link.of(await files.download_link(file_id))


@router.delete("/{file_id:uuid}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_file(files: FileServiceDep, file_id: UUID) -> None:
    """Delete a file or cancel an upload."""
    await files.delete(file_id)
