"""Projects: the example of a module. Copy it to make your own."""

from app.core.module import Module
from app.projects.models import Project
from app.projects.routes import router
from app.projects.upkeep import CLEANUPS, FIGURES, PERSONAL_DATA

module = Module(
    name="projects",
    models=(Project,),
    router=router,
    personal_data=PERSONAL_DATA,
    cleanups=CLEANUPS,
    figures=FIGURES,
)
