"""Admin routes for files. They show what is known about a file, but not its content."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, status
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col

from app.core.admin_view import AdminAction, AdminView
from app.core.db.pagination import Page, PageDep
from app.core.errors import NotFoundError
from app.core.http.dependencies import ActorDep, RuntimeDep, SessionDep
from app.core.ports.audit import AuditEntry
from app.kit.text import SearchText
from app.storage.jobs import delete_file
from app.storage.models import File, FileStatus
from app.storage.repository import FileRepository

router = APIRouter(prefix="/files")

FILES: Final = AdminView(
    title="Files",
    path="/files",
    columns=("name", "content_type", "size", "status", "owner_id", "created_at"),
    links={"owner_id": "/users"},
    actions=(
        AdminAction(
            method="DELETE",
            confirm="Delete the file for good. Its owner loses it, and links to it stop working.",
            only_if={"status": (FileStatus.PENDING, FileStatus.STORED)},
            danger=True,
        ),
    ),
)


class AdminFileRead(BaseModel):
    """A file of any user."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str = Field(description="Empty once the owner has been deleted.")
    content_type: str
    size: int = Field(description="Bytes.")
    status: FileStatus
    owner_id: UUID | None = Field(description="Null once the owner has been deleted.")
    due_at: datetime | None = Field(description="When the file is deleted, if it is temporary or not yet uploaded.")
    created_at: datetime
    updated_at: datetime


@router.get("")
async def list_user_files(
    session: SessionDep,
    page: PageDep,
    search: Annotated[SearchText | None, Query(description="Part of a name.")] = None,
    status: Annotated[FileStatus | None, Query(description="Only files with this status.")] = None,
    owner_id: Annotated[UUID | None, Query(description="Only files of this user.")] = None,
) -> Page[AdminFileRead]:
    """List the files of all users, newest first."""
    where = [] if status is None else [col(File.status) == status]
    return await FileRepository(session).page(AdminFileRead, page, *where, owner_id=owner_id, search=search)


@router.get("/{file_id}")
async def get_user_file(session: SessionDep, file_id: UUID) -> AdminFileRead:
    """Get a file of any user."""
    return AdminFileRead.model_validate(await FileRepository(session).require(file_id))


@router.delete("/{file_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_user_file(runtime: RuntimeDep, session: SessionDep, actor: ActorDep, file_id: UUID) -> None:
    """Delete a file of any user."""
    files = FileRepository(session)
    if not await files.mark_deleting(file_id, col(File.status) != FileStatus.DELETING):
        raise NotFoundError("File", file_id)
    await runtime.queue.enqueue(session, delete_file, str(file_id), job_id=f"storage:{file_id}")
    entry = AuditEntry(
        actor_id=actor.id, action="file.deleted", target_type="file", target_id=str(file_id), client=actor.client
    )
    await runtime.audit.record(session, entry)
