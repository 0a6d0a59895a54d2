"""Statistics: the figures of every module, each by one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.db.engine import DatabaseUnavailableError
from app.core.errors import ServiceUnavailableError
from app.core.manifest import Figure, modules_of
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)


class FigureValue(NamedTuple):
    """A number of a figure. If it is not exact, it is an estimate or a lower bound."""

    label: str
    value: int
    is_exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureResult:
    """The numbers of a figure; `None` if its statement has failed."""

    name: str
    module: str
    unit: str
    values: Sequence[FigureValue] | None


async def compute_figures(runtime: Runtime, now: datetime) -> list[FigureResult]:
    """Compute the figures of all modules. One that fails does not hide the others.

    Raises:
        DatabaseUnavailableError: no database connection was free in time, or it broke.
    """
    return [
        FigureResult(name=figure.name, module=module.name, unit=figure.unit, values=await _values(runtime, figure, now))
        for module in modules_of(runtime)
        for figure in module.figures
    ]


async def _values(runtime: Runtime, figure: Figure, now: datetime) -> list[FigureValue] | None:
    try:
        rows = await runtime.database.fetch(figure.query(runtime, now), {})
    except DatabaseUnavailableError:
        raise
    except (SQLAlchemyError, ServiceUnavailableError) as error:
        logger.warning("figure_not_available", name=figure.name, error=type(error).__name__)
        return None
    return [FigureValue(str(label), int(value), bool(is_exact)) for label, value, is_exact in rows]
