"""The statistics of the dashboard: one statement for each figure of a module's manifest."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.admin.schemas import Dashboard, FigureRead, FigureValue
from app.core.db.engine import DatabaseUnavailableError
from app.core.db.models import utc_now
from app.core.errors import ServiceUnavailableError
from app.core.manifest import Figure, modules_of
from app.core.ports.cache import cached
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

LIFETIME: Final = timedelta(minutes=1)


@cached("admin.dashboard", ttl=LIFETIME)
async def dashboard(runtime: Runtime) -> Dashboard:
    """Return the figures of all modules, at most a minute old.

    Raises:
        DatabaseUnavailableError: no database connection was free in time, or it broke.
    """
    now = utc_now()
    figures = [
        FigureRead(name=figure.name, module=module.name, unit=figure.unit, values=await _values(runtime, figure, now))
        for module in modules_of(runtime)
        for figure in module.figures
    ]
    return Dashboard(as_of=now, figures=figures)


async def _values(runtime: Runtime, figure: Figure, now: datetime) -> list[FigureValue] | None:
    """Return the numbers of a figure; `None` if its statement fails, so that the others are still shown."""
    try:
        rows = await runtime.database.fetch(figure.query(runtime, now), {})
    except DatabaseUnavailableError:
        raise
    except (SQLAlchemyError, ServiceUnavailableError) as error:
        logger.warning("figure_not_available", name=figure.name, error=type(error).__name__)
        return None
    return [FigureValue(label=str(label), value=int(value), is_exact=bool(exact)) for label, value, exact in rows]
