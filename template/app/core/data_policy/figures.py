"""Statements for the figures on the administrators' dashboard. Their cost does not grow with the table.

    figures=(
        Figure(name="invoices", query=total_rows(Invoice)),
        Figure(name="projects_created", query=rows_by_day(Project)),
        Figure(name="projects_by_state", query=rows_by(col(Project.state), ProjectState)),
    )

Each statement counts at most `MAX_COUNTED` rows for a label. Beyond that, the number is a lower bound or an estimate.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    Table,
    Text,
    case,
    cast,
    column,
    func,
    inspect,
    literal,
    literal_column,
    select,
    table,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import SQLModel

from app.core.db.models import Entity, metadata
from app.core.manifest import FigureQuery
from app.core.runtime import Runtime

MAX_COUNTED: Final = 10_000
"""Maximum number of rows that are counted for one label."""
DAYS: Final = 30
"""Number of days in a series, today included."""

# Part of the text, so that PostgreSQL plans for these values.
_LIMIT: Final[ColumnElement[int]] = literal_column(str(MAX_COUNTED + 1))
_CATALOG: Final = table("pg_class", column("oid"), column("reltuples"))
"""PostgreSQL's statistics about tables."""

type Numbers = CompoundSelect[str, int, bool]


def total_rows(model: type[SQLModel]) -> FigureQuery:
    """Count the rows of a table. Of a large table, PostgreSQL's statistics provide an estimate."""
    estimate = EstimatedRows(metadata.tables[str(inspect(model).local_table)])
    row = _row("total", _limited(model), beyond=estimate)
    return lambda _runtime, _now: union_all(row)


def rows_where(model: type[SQLModel], *where: ColumnElement[bool]) -> FigureQuery:
    """Count the rows that meet the conditions, which an index must cover."""
    row = _row("total", _limited(model, *where))
    return lambda _runtime, _now: union_all(row)


def rows_by(source: Mapped[Any], values: Iterable[str], *where: ColumnElement[bool]) -> FigureQuery:
    """Count the rows for each value of a column, which must be the first of an index."""
    attribute = inspect(source)
    model = attribute.class_
    # Literals, so that PostgreSQL uses partial indexes.
    literals = {str(value): literal(value, attribute.type, literal_execute=True) for value in values}
    statement = union_all(*(_row(label, _limited(model, source == value, *where)) for label, value in literals.items()))
    return lambda _runtime, _now: statement


def rows_by_day(model: type[Entity]) -> FigureQuery:
    """Count the rows that were created on each of the last days (UTC), by the times in their keys (UUIDv7)."""

    def query(_runtime: Runtime, now: datetime) -> Numbers:
        today = datetime.combine(now.astimezone(UTC), time.min, tzinfo=UTC)
        days = [today - timedelta(days=age) for age in reversed(range(DAYS))]
        return union_all(*(_row(f"{day:%Y-%m-%d}", _limited(model, *_created_on(model, day))) for day in days))

    return query


def first_key(at: datetime) -> UUID:
    """Return a lower bound of the keys (UUIDv7) that are made from this time on."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


class EstimatedRows(FunctionElement[int]):
    """The number of rows of a table by the database's statistics, at least `MAX_COUNTED`."""

    inherit_cache = True
    type = BigInteger()

    def __init__(self, counted: Table) -> None:
        super().__init__(literal(counted.fullname))


@compiles(EstimatedRows)
def _without_statistics(_element: EstimatedRows, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return str(MAX_COUNTED)


@compiles(EstimatedRows, "postgresql")
def _from_catalog(element: EstimatedRows, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    (name,) = element.clauses
    number = func.greatest(cast(_CATALOG.c.reltuples, BigInteger), MAX_COUNTED)
    of_table = _CATALOG.c.oid == func.to_regclass(cast(name, Text))
    return compiler.process(select(number).where(of_table).scalar_subquery(), **options)


def _created_on(model: type[Entity], day: datetime) -> Sequence[ColumnElement[bool]]:
    key = inspect(model).columns["id"]
    return key >= first_key(day), key < first_key(day + timedelta(days=1))


def _limited(model: type[SQLModel], *where: ColumnElement[bool]) -> Select[int]:
    """Return the statement that counts up to one more than the maximum."""
    rows = select(literal(1)).select_from(model).where(*where).limit(_LIMIT).subquery()
    return select(func.count().label("number")).select_from(rows)


def _row(label: str, counting: Select[int], beyond: ColumnElement[int] | None = None) -> Select[str, int, bool]:
    number = counting.subquery().c.number
    limit: ColumnElement[int] = literal(MAX_COUNTED, BigInteger) if beyond is None else beyond
    is_exact = number <= MAX_COUNTED
    return select(literal(label).label("label"), case((is_exact, number), else_=limit).label("number"), is_exact)
