"""Projects: the example of a module. Copy it to make your own."""

from app.core.module import Module
from app.projects.models import Project
from app.projects.routes import router

module = Module(name="projects", models=(Project,), router=router)
