"""What is kept of users here, when it goes, and what of it is counted."""

from datetime import timedelta
from typing import Final

from sqlmodel import col

from app.core.cleanup import Cleanup
from app.core.personal_data import PersonalData
from app.core.report import Figure, rows_since
from app.projects.models import Project

KEEP_DELETED: Final = timedelta(days=30)
"""How long a deleted project can be restored."""

PERSONAL_DATA: Final = (PersonalData(model=Project, belongs=lambda user_id: col(Project.owner_id) == user_id),)

CLEANUPS: Final = (Cleanup(model=Project, expired=lambda _runtime, now: col(Project.deleted_at) < now - KEEP_DELETED),)

FIGURES: Final = (Figure(name="projects_created", count=rows_since(col(Project.created_at))),)
