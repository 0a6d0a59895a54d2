"""Dependencies of the routes for projects."""

from typing import Annotated

from fastapi import Depends

from app.core.http.dependencies import SessionDep
from app.projects.repository import ProjectRepository


async def project_repository(session: SessionDep) -> ProjectRepository:
    """Return the repository in the request's transaction."""
    return ProjectRepository(session)


ProjectsDep = Annotated[ProjectRepository, Depends(project_repository)]
