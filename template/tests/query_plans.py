"""The rows that statements read, on tables with many rows. Only PostgreSQL says how many."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text

from app.core.db.database import Database

MANY = 100_000
KEY = "CAST(lpad(to_hex(n), 32, '0') AS uuid)"
"""The key of row `n`, as SQL."""

type Sent = tuple[str, Any]
"""A statement and its parameters, as the driver gets them."""


@contextmanager
def queries_of(database: Database) -> Iterator[list[Sent]]:
    """The queries that are sent to the database during the block."""
    seen: list[Sent] = []
    engine = database.engine.sync_engine

    def note(_connection: Connection, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def rows_read(database: Database, query: Sent) -> int:
    """Return the number of rows that the scans of a query return or discard."""
    statement, parameters = query
    async with database.new_session(reading=True) as session:
        connection = await session.connection()
        plan = (
            await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        ).scalar_one()
    return sum(scanned_rows((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def scanned_rows(node: dict[str, Any]) -> Iterator[int]:
    """Yield the rows of each scan of a table in a plan."""
    if "Relation Name" in node:
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from scanned_rows(child)


async def fill(database: Database, table: str, columns: str, values: str, count: int = MANY) -> None:
    """Insert many rows into a table, and have PostgreSQL count them.

    Args:
        columns: names of the columns, the first one being the key.
        values: of the other columns, as SQL; `n` is the row's number.
    """
    insert = f"INSERT INTO {table} ({columns}) SELECT {KEY}, {values} FROM generate_series(1, {count}) AS n"  # noqa: S608
    async with database.transaction() as session:
        await session.execute(text(insert))
        await session.execute(text(f"ANALYZE {table}"))


def is_postgresql(database: Database) -> bool:
    """Return whether the database is PostgreSQL."""
    return database.engine.dialect.name == "postgresql"
