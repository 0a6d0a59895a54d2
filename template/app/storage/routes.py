"""What users can do with their own files. Those of others do not exist for them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, status
from sqlmodel import col

from app.core.db.pagination import Page, PageDep
from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.kit.text import SearchText
from app.storage.files import Files
from app.storage.models import File, FileStatus
from app.storage.repository import FileRepository
from app.storage.schemas import Confirmation, FileRead, Link, UploadLink, UploadRequest
from app.storage.service import StorageDep
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/files")


async def own_files(runtime: RuntimeDep, storage: StorageDep, user: CurrentUser) -> Files:
    """What the caller can do with their files."""
    return Files(runtime, storage, user.id)


FilesDep = Annotated[Files, Depends(own_files)]


@router.post("/upload-url", status_code=status.HTTP_201_CREATED)
async def create_upload_url(request: Request, files: FilesDep, data: UploadRequest) -> UploadLink:
    """Answers how to upload a file: send that request, then confirm. Unconfirmed uploads expire after an hour."""
    id_, upload = await files.start_upload(data)
    link = Link.of(upload, str(request.base_url))
    return UploadLink(id=id_, fields=dict(upload.fields), **link.model_dump())


@router.post("/confirm")
async def confirm_upload(files: FilesDep, data: Confirmation) -> FileRead:
    """Checks what was uploaded, its size and its type, and puts it among one's files."""
    return FileRead.model_validate(await files.confirm(data.id))


@router.get("")
async def list_files(
    session: SessionDep,
    user: CurrentUser,
    page: PageDep,
    search: Annotated[SearchText | None, Query(description="Part of a name.")] = None,
) -> Page[FileRead]:
    """Lists one's files, the newest first."""
    stored = col(File.status) == FileStatus.STORED
    return await FileRepository(session).page(FileRead, page, stored, owner_id=user.id, search=search)


@router.get("/{file_id}")
async def read_file(session: SessionDep, user: CurrentUser, file_id: UUID) -> FileRead:
    """Answers one file."""
    file = await FileRepository(session).one(user.id, file_id, FileStatus.STORED)
    if file is None:
        raise NotFoundError("File", file_id)
    return FileRead.model_validate(file)


@router.get("/{file_id}/download-url")
async def create_download_url(request: Request, files: FilesDep, file_id: UUID) -> Link:
    """Answers a link to the content, good for a quarter of an hour. A browser saves it and never shows it."""
    return Link.of(await files.download_link(file_id), str(request.base_url))


@router.delete("/{file_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_file(files: FilesDep, file_id: UUID) -> None:
    """Deletes a file, or gives up an upload."""
    await files.delete(file_id)
