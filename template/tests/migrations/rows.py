"""Rows for any table, so that revisions are tested on tables that are not empty."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Time,
    TypeDecorator,
    Uuid,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from app import project_modules

VALUES: dict[type[TypeEngine[Any]], object] = {
    String: "x",
    Boolean: True,
    Integer: 1,
    Numeric: 1,
    LargeBinary: b"x",
    JSON: {},
    DateTime: datetime(2026, 1, 1, tzinfo=UTC),
    Date: date(2026, 1, 1),
    Time: time(12),
    Interval: timedelta(hours=1),
}


async def fill(url: str, metadata: MetaData) -> None:
    """Insert one row into every table, in the order of their foreign keys."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            values: dict[str, object] = {}
            for column in table.columns:
                for key in column.foreign_keys:
                    values[column.name] = await connection.scalar(select(key.column).limit(1))
                if not column.foreign_keys and not column.nullable and column.default is None:
                    values[column.name] = value_for(column)
            if table in own_tables():
                # A constraint of yours may refuse the row: that table stays empty.
                with suppress(IntegrityError):
                    async with connection.begin_nested():
                        await connection.execute(insert(table).values(**values))
            else:
                await connection.execute(insert(table).values(**values))
    await engine.dispose()


def own_tables() -> list[Table]:
    """Return the tables of the user's own modules."""
    models = [model for module in project_modules.MODULES for model in module.models]
    return [inspect(model).local_table for model in models]


async def count(url: str, table: Table) -> int:
    """Return the number of rows."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.scalar(select(func.count()).select_from(table))
    await engine.dispose()
    return found or 0


def value_for(column: Column[object]) -> object:
    """Return a value of the column's type.

    Raises:
        NotImplementedError: the type has no entry in `VALUES`; add one.
    """
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, Enum):
        return kind.enums[0]
    for known, value in VALUES.items():
        if isinstance(kind, known):
            return value
    if isinstance(kind, Uuid):
        return uuid4()
    raise NotImplementedError(f"{column}: add a value for {kind!r} to {__name__}.VALUES")
