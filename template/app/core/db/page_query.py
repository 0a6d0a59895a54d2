"""The statement of a page: one for the rows and their total, built once, without entities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    bindparam,
    func,
    inspect,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from app.core.db.database import fetch_in
from app.core.db.list_options import Computed, Join
from app.core.db.pagination import Page, PageParams


@dataclass(frozen=True, kw_only=True, slots=True)
class PageShape:
    """The properties by which the statement of one page differs from another's.

    The values are parameters: `skip` and `limit`, `owner_id` if there is an owner, `pattern` for a search.

    Attributes:
        schema: of one item. Each of its fields is a column of the table or of a joined one, or is computed.
        owner: the name of the column that must equal `owner_id`.
        searched: the names of the columns of which one must match `pattern`.
        empty: the name of the column that must be empty.
        newest_first: whether the rows are ordered by their keys; otherwise the caller adds an order.
        joins: the other tables.
        computed: the fields that the database computes.
    """

    model: type[SQLModel]
    schema: type[BaseModel]
    owner: str | None
    searched: tuple[str, ...]
    empty: str | None
    newest_first: bool
    joins: tuple[Join, ...] = ()
    computed: tuple[Computed, ...] = ()


@lru_cache(maxsize=512)
def page_statement(shape: PageShape) -> Select[*tuple[Any, ...]]:
    """Return the statement that selects the schema's columns and, last, the total.

    Building a statement takes as long as running it, so each shape is built once. It is made of the table's columns
    instead of the entity's attributes, because that bypasses the slower half of SQLAlchemy.

    Raises:
        TypeError: a field of the schema is no column of the table.
    """
    columns = inspect(shape.model).columns
    conditions: list[ColumnElement[bool]] = []
    if shape.owner:
        conditions.append(columns[shape.owner] == bindparam("owner_id"))
    if shape.empty:
        conditions.append(columns[shape.empty].is_(None))
    if shape.searched:
        pattern: BindParameter[str] = bindparam("pattern")
        conditions.append(or_(*(columns[name].ilike(pattern, escape="\\") for name in shape.searched)))
    selected = columns_of(shape.model, shape.schema, shape.joins, shape.computed)
    statement = select(*selected, func.count().over().label("total")).where(*conditions)
    if shape.joins:
        source: FromClause = inspect(shape.model).local_table
        for join in shape.joins:
            source = source.outerjoin(inspect(join.model).local_table, join.on)
        statement = statement.select_from(source)
    if shape.newest_first:
        statement = statement.order_by(columns["id"].desc())
    return statement.offset(bindparam("skip", type_=Integer)).limit(bindparam("limit", type_=Integer))


def columns_of(
    model: type[SQLModel], schema: type[BaseModel], joins: Sequence[Join] = (), computed: Sequence[Computed] = ()
) -> tuple[ColumnElement[Any], ...]:
    """Return the columns that a response shows, in the order of its fields.

    Raises:
        TypeError: a field is no column of the table or of a joined one, and is not computed.
    """
    own = inspect(model).columns
    columns: dict[str, Any] = {name: column for join in joins for name, column in join.columns.items()}
    columns |= {each.name: each.expression for each in computed}
    columns |= {name: own[name] for name in schema.model_fields if name in own and name not in columns}
    missing = [name for name in schema.model_fields if name not in columns]
    if missing:
        raise TypeError(f"{schema.__name__} has fields that {model.__name__} has no column for: {', '.join(missing)}.")
    return tuple(columns[name] for name in schema.model_fields)


async def fetch_page[S: BaseModel](
    session: AsyncSession,
    statement: Select[*tuple[Any, ...]],
    schema: type[S],
    params: PageParams,
    values: Mapping[str, object],
) -> Page[S]:
    """Return the page that a statement of `page_statement` selects.

    Args:
        session: the caller's.
        statement: the statement.
        schema: of one item.
        params: the page.
        values: of the statement's other parameters.
    """
    rows = await fetch_in(session, statement, {**values, "skip": params.skip, "limit": params.limit})
    total = rows[0][-1] if rows else 0
    if not rows and params.skip:
        # Past the end there is no row with the total: the first row has it, if the list isn't empty.
        first = await fetch_in(session, statement, {**values, "skip": 0, "limit": 1})
        total = first[0][-1] if first else 0
    return Page(items=items_of(schema, rows), total=total, skip=params.skip, limit=params.limit)


def items_of[S: BaseModel](schema: type[S], rows: Sequence[Sequence[object]]) -> list[S]:
    """Return the rows of `columns_of` as the response shows them."""
    names = tuple(schema.model_fields)
    # A row may be longer than the schema, by the total: zip stops at the names.
    return _adapter(schema).validate_python([dict(zip(names, row, strict=False)) for row in rows], by_name=True)


@lru_cache(maxsize=512)
def _adapter[S: BaseModel](schema: type[S]) -> TypeAdapter[list[S]]:
    return TypeAdapter(list[schema])  # type: ignore[valid-type]  # a type that is known at run time only
