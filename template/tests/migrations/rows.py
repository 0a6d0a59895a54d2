"""Rows for any table, so that revisions are tested on tables that are not empty."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Enum,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    TypeDecorator,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

VALUES: dict[type[TypeEngine[Any]], object] = {
    String: "x",
    Boolean: True,
    Integer: 1,
    Numeric: 1,
    LargeBinary: b"x",
    JSON: {},
    DateTime: datetime(2026, 1, 1, tzinfo=UTC),
}


async def fill(url: str, metadata: MetaData) -> None:
    """Insert one row into every table, after the tables that it refers to."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            values: dict[str, object] = {}
            for column in table.columns:
                for key in column.foreign_keys:
                    values[column.name] = await connection.scalar(select(key.column).limit(1))
                if not column.foreign_keys and not column.nullable and column.default is None:
                    values[column.name] = value_for(column)
            await connection.execute(insert(table).values(**values))
    await engine.dispose()


async def count(url: str, table: Table) -> int:
    """Return the number of rows."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.scalar(select(func.count()).select_from(table))
    await engine.dispose()
    return found or 0


def value_for(column: Column[object]) -> object:
    """Return a value that the column accepts."""
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, Enum):
        return kind.enums[0]
    for known, value in VALUES.items():
        if isinstance(kind, known):
            return value
    return uuid4()
