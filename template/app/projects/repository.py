"""The projects' table: all that the generic repository does, for projects and their owners."""

from typing import ClassVar

from sqlmodel import col

from app.core.db.repository import Repository
from app.projects.models import Project


class ProjectRepository(Repository[Project]):
    """Projects. One that is deleted is only hidden, and `restore` brings it back."""

    model = Project
    owner: ClassVar = col(Project.owner_id)
    searchable: ClassVar = (col(Project.name), col(Project.description))
