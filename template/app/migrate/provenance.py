"""The tables, columns and indexes that the revisions have created. Autogenerate leaves all others alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Column, Table

from app.core.db.models import metadata
from app.migrate import migration_log

KINDS = {
    "table": "table",
    "column": "column",
    "index": "index",
    "unique_constraint": "unique constraint",
    "foreign_key_constraint": "foreign key",
    "check_constraint": "check constraint",
}
CREATE_TABLE = {"create_table", "rename_table"}
"""Alembic's operations after which a table of a new name exists."""
CREATE_NAMED = {
    "Index",
    "create_index",
    "create_unique_constraint",
    "create_foreign_key",
    "create_check_constraint",
    "create_exclude_constraint",
}
"""Calls whose first argument names an index or a constraint. Constraints in `create_table` have a `name=`."""


class Provenance:
    """The names that the revision files mention, and the database's objects that they don't mention.

    Attributes:
        foreign: objects that no revision has created, such as PostGIS's tables, partitions and hand-made indexes.
    """

    def __init__(self, versions: Path) -> None:
        self._tables = set[str]()
        self._names = set[str]()
        self._columns = set[tuple[str, str]]()
        self.foreign: dict[str, None] = {}
        for path in versions.glob("*/*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
            self._tables.update(_tables(tree))
            self._names.update(_names(tree))
            for table, strings in _blocks(tree):
                self._columns.update((table, string) for string in strings)

    def created(self, item: object, name: str, kind: str) -> bool:
        """Return whether a revision has created the object, and otherwise remember it as foreign."""
        table = str(item.table.name) if isinstance(item, Column) else None
        if (kind == "table" and name in migration_log.TABLES) or (table is not None and _is_retired(table, name)):
            return False
        if kind == "column":
            known = (table, name) in self._columns
        else:
            known = name in (self._tables if kind == "table" else self._names)
        if known:
            return True
        if isinstance(item, Table):
            self.foreign[f"table {name}"] = None
        else:
            owner = table or getattr(getattr(item, "table", None), "name", None)
            self.foreign[f"{KINDS.get(kind, kind)} {name}{f' of {owner}' if owner else ''}"] = None
        return False


def _is_retired(table: str, column: str) -> bool:
    """Return whether a model declares that it no longer uses a column, which a later release drops."""
    model = metadata.tables.get(table)
    return model is not None and column in model.info.get("retired", ())


def _tables(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the tables that a revision creates or renames, also where a constant holds the name.

    Any other string may be a column's name, and a table of that name someone else's.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) in CREATE_TABLE:
            yield from (string for argument in node.args[:2] if (string := _string(argument)) is not None)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and (string := _string(node.value)) is not None:
            yield string


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the indexes and constraints that a revision creates, also where a constant holds the name.

    Any other string may be a column's name, and an index of that name someone else's.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            named = [keyword.value for keyword in node.keywords if keyword.arg in {"name", "constraint_name"}]
            if function in CREATE_NAMED:
                named += node.args[:1]
            for argument in named:
                # `op.f("ix_…")` marks a name as complete.
                is_marked = isinstance(argument, ast.Call) and getattr(argument.func, "attr", None) == "f"
                yield from _strings(argument) if is_marked else filter(None, [_string(argument)])
        elif isinstance(node, ast.Assign | ast.AnnAssign) and (string := _string(node.value)) is not None:
            yield string


def _blocks(tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Yield the strings inside each call whose first argument names a table, and each `with` block around one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (table := _first_argument(node)) is not None:
            yield table, set(_strings(node))
        elif isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call) and (table := _first_argument(item.context_expr)):
                    yield table, {string for statement in node.body for string in _strings(statement)}


def _first_argument(call: ast.Call) -> str | None:
    return _string(call.args[0]) if call.args else None


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (string := _string(node)) is not None:
            yield string


def _string(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
