"""The statistics of the dashboard, cached for a minute."""

from datetime import timedelta
from typing import Final

from app.admin.schemas import Dashboard, FigureRead
from app.core.data_policy.statistics import compute_figures
from app.core.db.models import utc_now
from app.core.ports.cache import cached
from app.core.runtime import Runtime

LIFETIME: Final = timedelta(minutes=1)


@cached("admin.dashboard", ttl=LIFETIME)
async def dashboard(runtime: Runtime) -> Dashboard:
    """Return the figures of all modules, at most a minute old.

    Raises:
        DatabaseUnavailableError: no database connection was free in time, or it broke.
    """
    now = utc_now()
    figures = await compute_figures(runtime, now)
    return Dashboard(as_of=now, figures=[FigureRead.model_validate(figure) for figure in figures])
