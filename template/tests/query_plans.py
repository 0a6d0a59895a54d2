"""Tables with many rows, and the plans of the statements that read them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, DateTime, bindparam, event, text

from app.core.db.database import Database
from app.core.db.models import utc_now

MANY: Final = 100_000

KEYS: Final = {
    "postgresql": "lpad(to_hex(number), 32, '0')::uuid",
    "sqlite": "printf('%032x', number)",
}
"""A key by its number, in each database's own expression."""


async def fill(database: Database, table: str, columns: Mapping[str, str], count: int = MANY) -> None:
    """Insert rows that are numbered from 1, and update the statistics.

    Args:
        columns: the SQL expression of each column. `number` is the row's number, `:now` is the time, and `{key}` is a
            key that belongs to the number.
    """
    numbers = f"WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {count})"  # noqa: S608
    key = KEYS[database.engine.dialect.name]
    values = ", ".join(expression.format(key=key) for expression in columns.values())
    insert = text(f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {values} FROM n")  # noqa: S608
    if ":now" in values:
        insert = insert.bindparams(bindparam("now", utc_now(), type_=DateTime(timezone=True)))
    async with database.transaction() as session:
        await session.execute(insert)
        await session.execute(text("ANALYZE"))


@contextmanager
def selects_of(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The reading statements that are sent to the database during the block, with their parameters."""
    engine = database.engine.sync_engine
    seen: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:  # noqa: ANN401
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def explain(database: Database, statement: str, parameters: Any) -> str:  # noqa: ANN401 - as the driver has them
    """Return the plan of a statement."""
    engine = database.engine
    command = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"{command} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)


def scans(plan: str, table: str) -> bool:
    """Whether a plan reads the whole table, instead of rows that an index finds."""
    lines = plan.splitlines()
    return any(f"Seq Scan on {table}" in line for line in lines) or any(
        line.startswith(f"SCAN {table}") and "INDEX" not in line for line in lines
    )
