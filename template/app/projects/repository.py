"""Queries on projects."""

from typing import ClassVar

from sqlmodel import col

from app.core.db.repository import Repository
from app.projects.models import Project


class ProjectRepository(Repository[Project]):
    """Projects. A deleted project is hidden until it expires; `restore` brings it back."""

    model = Project
    owner: ClassVar = col(Project.owner_id)
    searchable: ClassVar = (col(Project.name), col(Project.description))
