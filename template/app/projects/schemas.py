"""Request and response bodies for projects."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.kit.text import Line, Paragraphs
from app.projects.models import DESCRIPTION_LENGTH, NAME_LENGTH

Name = Annotated[str, Line(max_length=NAME_LENGTH)]
Description = Annotated[str, Paragraphs(max_length=DESCRIPTION_LENGTH)]


class ProjectCreate(BaseModel):
    """A new project."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Description | None = None


class ProjectUpdate(BaseModel):
    """Changes to a project. Omitted fields stay unchanged."""

    model_config = ConfigDict(extra="forbid")

    # The default is never used, since only sent fields are written: the name may be omitted but not null.
    name: Name = Field(default_factory=str)
    description: Description | None = None


class ProjectRead(BaseModel):
    """A project."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
