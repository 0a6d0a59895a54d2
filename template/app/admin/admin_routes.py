"""Admin routes for the dashboard."""

from fastapi import APIRouter

from app.admin.schemas import Dashboard
from app.admin.statistics import dashboard
from app.core.http.dependencies import RuntimeDep

router = APIRouter(prefix="/dashboard")


@router.get("/stats")
async def get_statistics(runtime: RuntimeDep) -> Dashboard:
    """Get the figures of all modules, which are computed at most once a minute."""
    return await dashboard(runtime)
