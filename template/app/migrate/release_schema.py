"""The columns that a release's models read and write, and whether a database's schema still serves them.

During a deployment, and after a rollback, the previous release runs on the new schema.
"""

from collections.abc import Mapping
from typing import Final, TypedDict

from sqlalchemy import Column, Connection, MetaData, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import TypeEngine


class ColumnUse(TypedDict):
    """A column as the models use it: its type in PostgreSQL, and whether they may write NULL."""

    type: str
    nullable: bool


type ReleaseSchema = dict[str, dict[str, ColumnUse]]
"""The columns by table and name."""

DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
RANKS: Final = {"SMALLINT": 1, "INTEGER": 2, "BIGINT": 3}


def release_schema(models: MetaData) -> ReleaseSchema:
    """Return the columns of the models."""
    return {table.name: {column.name: _use(column) for column in table.columns} for table in models.sorted_tables}


def broken(connection: Connection, release: Mapping[str, Mapping[str, ColumnUse]]) -> list[str]:
    """Return the reasons why a release cannot work with the database's schema; none if it can.

    Types are compared on PostgreSQL only: SQLite stores any value in any column.
    """
    inspector = inspect(connection)
    has_types = connection.dialect.name == "postgresql"
    existing = set(inspector.get_table_names())
    reasons = []
    for table, columns in sorted(release.items()):
        if table not in existing:
            reasons.append(f"The running release uses the table {table}, which no longer exists.")
            continue
        present = {column["name"]: column for column in inspector.get_columns(table)}
        key = set(inspector.get_pk_constraint(table)["constrained_columns"])
        for name, use in sorted(columns.items()):
            if name not in present:
                reasons.append(f"The running release uses the column {table}.{name}, which no longer exists.")
            else:
                reasons += _narrowed(f"{table}.{name}", use, present[name], has_types=has_types)
        reasons += [
            f"The running release inserts no {table}.{name}, which is NOT NULL and has no default."
            for name, column in sorted(present.items())
            if name not in columns and name not in key and _is_required(column)
        ]
    return reasons


def _narrowed(name: str, use: ColumnUse, column: ReflectedColumn, *, has_types: bool) -> list[str]:
    reasons = []
    if use["nullable"] and not column["nullable"]:
        reasons.append(f"The running release may write NULL to {name}, which is now NOT NULL.")
    now = _type_name(column["type"])
    if has_types and not _holds(now, use["type"]):
        reasons.append(f"The running release uses {name} as {use['type']}; its type is now {now}.")
    return reasons


def _holds(now: str, before: str) -> bool:
    """Return whether a type holds every value of an earlier type, and is read and written the same way."""
    if now == before:
        return True
    if now in RANKS and before in RANKS:
        return RANKS[now] >= RANKS[before]
    texts = ("VARCHAR", "TEXT")
    if now.startswith(texts) and before.startswith(texts):
        return _length(now) >= _length(before)
    return False


def _length(text_type: str) -> float:
    _, _, length = text_type.rstrip(")").partition("(")
    return int(length) if length else float("inf")


def _is_required(column: ReflectedColumn) -> bool:
    return not column["nullable"] and column["default"] is None and not column.get("identity")


def _use(column: Column[object]) -> ColumnUse:
    return {"type": _type_name(column.type), "nullable": bool(column.nullable)}


def _type_name(kind: TypeEngine[object]) -> str:
    return str(kind.compile(dialect=DIALECT)).removesuffix(" WITHOUT TIME ZONE")
