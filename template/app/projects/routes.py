"""Routes for the current user's projects. Projects of other users answer 404."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from app.core.db.pagination import Page, PageDep
from app.core.http.dependencies import RuntimeDep
from app.kit.text import SearchText
from app.projects.dependencies import ProjectsDep
from app.projects.schemas import ProjectCreate, ProjectRead, ProjectUpdate
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/projects")


@router.get("")
async def list_projects(
    projects: ProjectsDep,
    user: CurrentUser,
    page: PageDep,
    search: Annotated[SearchText | None, Query(description="Part of a name or a description.")] = None,
) -> Page[ProjectRead]:
    """List the current user's projects, newest first."""
    return await projects.page(ProjectRead, page, owner_id=user.id, search=search)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_project(
    projects: ProjectsDep, user: CurrentUser, runtime: RuntimeDep, data: ProjectCreate
) -> ProjectRead:
    """Create a project. Answers 402 if the user's plan allows no more."""
    # In the same transaction: both are kept, or neither. A deleted project stops counting by itself.
    await runtime.plans.reserve(projects.session, user.id, "projects")
    return ProjectRead.model_validate(await projects.create_with_owner(data, user.id))


@router.get("/{project_id}")
async def get_project(projects: ProjectsDep, user: CurrentUser, project_id: UUID) -> ProjectRead:
    """Get a project."""
    return ProjectRead.model_validate(await projects.require(project_id, owner_id=user.id))


@router.patch("/{project_id}")
async def update_project(
    projects: ProjectsDep, user: CurrentUser, project_id: UUID, data: ProjectUpdate
) -> ProjectRead:
    """Update a project. Omitted fields stay unchanged."""
    project = await projects.require(project_id, owner_id=user.id)
    return ProjectRead.model_validate(await projects.update(project, data))


@router.delete("/{project_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_project(projects: ProjectsDep, user: CurrentUser, project_id: UUID) -> None:
    """Delete a project."""
    await projects.soft_delete(await projects.require(project_id, owner_id=user.id))
