"""The data that is lost when revisions are reverted, read from the source of their `downgrade`."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script
from sqlalchemy import Connection, func, inspect, select, table

from app.migrate.database_state import on_database


@dataclass(frozen=True, slots=True)
class Loss:
    """A table or a column that is dropped.

    Attributes:
        column: `None` for the whole table.
        rows: of the table.
    """

    table: str
    column: str | None
    rows: int

    def __str__(self) -> str:
        """Return the loss in one line."""
        rows = f"{self.rows} row{'' if self.rows == 1 else 's'}"
        return f"table {self.table}, {rows}" if self.column is None else f"column {self.table}.{self.column}, {rows}"


def losses(url: str, revisions: Iterable[Script]) -> list[Loss]:
    """Return the tables and columns that the database has and that reverting the revisions drops.

    SQL in `op.execute` is not read.
    """
    dropped = dict.fromkeys(item for revision in revisions for item in _dropped(Path(revision.path)))
    return on_database(url, lambda connection: list(_existing(connection, list(dropped))))


def _existing(connection: Connection, dropped: Sequence[tuple[str, str | None]]) -> Iterator[Loss]:
    inspector = inspect(connection)
    whole = {name for name, column in dropped if column is None}
    for name, column in dropped:
        if (column is None or name not in whole) and inspector.has_table(name):
            rows = connection.scalar(select(func.count()).select_from(table(name))) or 0
            yield Loss(name, column, rows)


def _dropped(file: Path) -> Iterator[tuple[str, str | None]]:
    """Yield the tables, and the columns with their tables, that the revision's `downgrade` drops."""
    for function in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef) and function.name == "downgrade":
            batches = dict(_batches(function))
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
                    continue
                names = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                batch = batches.get(call.func.value.id)
                if call.func.attr == "drop_table" and names:
                    yield names[0], None
                elif call.func.attr == "drop_column" and batch is not None and names:
                    yield batch, names[0]
                elif call.func.attr == "drop_column" and len(names) > 1:
                    yield names[0], names[1]


def _batches(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Yield the name and the table of each `with op.batch_alter_table("table") as name`."""
    for node in ast.walk(function):
        for item in node.items if isinstance(node, ast.With) else ():
            call, name = item.context_expr, item.optional_vars
            if isinstance(call, ast.Call) and call.args and isinstance(name, ast.Name):
                first = call.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield name.id, first.value
