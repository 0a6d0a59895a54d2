"""Statistics: the figures and the gauges of every module, each by one statement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Row

from app.core.db.engine import DatabaseUnavailableError
from app.core.manifest import Figure, Gauge, modules_of
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


@dataclass(frozen=True, kw_only=True, slots=True)
class GaugeResult:
    """The numbers of a gauge, each with the values of its labels; `None` if its statement has failed."""

    gauge: Gauge
    rows: Sequence[tuple[Sequence[str], float]] | None


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


async def compute_gauges(runtime: Runtime, now: datetime) -> list[GaugeResult]:
    """Compute the gauges of all modules. One that fails does not hide the others.

    Raises:
        DatabaseUnavailableError: no database connection was free in time, or it broke.
    """
    return [
        GaugeResult(gauge=gauge, rows=await _rows(runtime, gauge, now))
        for module in modules_of(runtime)
        for gauge in module.gauges
    ]


async def _rows(runtime: Runtime, gauge: Gauge, now: datetime) -> list[tuple[list[str], float]] | None:
    number = len(gauge.labels)

    def read(row: Row[*tuple[Any, ...]]) -> tuple[list[str], float]:
        return [str(label) for label in row[:number]], _number(row[number], now)

    return await _read(runtime, gauge, now, read)


def _number(value: object, now: datetime) -> float:
    """Return a number as it is, and of a time its age in seconds."""
    match value:
        case None:
            return 0.0
        case datetime():
            return max(0.0, (now - value).total_seconds())
        case _:
            return float(str(value))


async def _values(runtime: Runtime, figure: Figure, now: datetime) -> list[FigureValue] | None:
    def read(row: Row[*tuple[Any, ...]]) -> FigureValue:
        label, value, is_exact = row
        return FigureValue(str(label), int(value), bool(is_exact))

    return await _read(runtime, figure, now, read)


async def _read[T](
    runtime: Runtime, source: Figure | Gauge, now: datetime, read: Callable[[Row[*tuple[Any, ...]]], T]
) -> list[T] | None:
    try:
        return [read(row) for row in await runtime.database.fetch(source.query(runtime, now), {})]
    except DatabaseUnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one statement must not hide the others
        logger.warning("figure_not_available", name=source.name, error=type(error).__name__)
        return None
