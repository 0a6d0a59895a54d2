"""Projects: the example module. Copy it to create your own."""

from app.core.manifest import Module
from app.projects.data_policy import FIGURES, LEVELS, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.projects.models import Project
from app.projects.routes import router

module = Module(
    name="projects",
    models=(Project,),
    router=router,
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    levels=LEVELS,
)
