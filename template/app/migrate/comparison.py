"""Comparisons that autogenerate lacks: the values of CHECK constraints and of native enums."""

import re
from collections.abc import Iterator
from functools import cache

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import (
    AddConstraintOp,
    CreateTableOp,
    DropConstraintOp,
    ModifyTableOps,
    OpContainer,
)
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import CheckConstraint, Enum, MetaData, Table
from sqlalchemy.sql.elements import conv

PLUGIN = "app.checks"


@cache
def register() -> None:
    """Register the comparisons with Alembic, once a process."""
    plugin = Plugin(PLUGIN)
    plugin.add_autogenerate_comparator(_compare_checks, "table", "app_checks")
    plugin.add_autogenerate_comparator(_compare_enums, "table", "app_enums")


def spell_out_checks(operations: OpContainer, metadata: MetaData) -> None:
    """Add the CHECK constraints of enum columns to every new table, which Alembic leaves to the column's type.

    A revision knows nothing of the naming convention, so the type would give them another name.
    """
    for operation in operations.ops:
        if isinstance(operation, CreateTableOp):
            table = metadata.tables[operation.table_name]
            bound = [it for it in _checks(table) if getattr(it, "_type_bound", False)]
            spelled = [CheckConstraint(sql_of(it), name=conv(str(it.name))) for it in bound]
            operation.columns = [*operation.columns, *sorted(spelled, key=lambda it: str(it.name))]


def sql_of(constraint: CheckConstraint) -> str:
    """Return the condition as SQL."""
    compiled = constraint.sqltext.compile(compile_kwargs={"literal_binds": True, "include_table": False})
    return str(compiled)


def literals(sql: str) -> set[str]:
    """Return the quoted strings of a condition. Databases rewrite the rest of it."""
    return {match.replace("''", "'") for match in re.findall(r"'((?:[^']|'')*)'", sql)}


def _compare_checks(  # noqa: PLR0917 - as Alembic calls it
    context: AutogenContext,
    operations: ModifyTableOps,
    schema: str | None,
    name: str,
    found: Table | None,
    wanted: Table | None,
) -> PriorityDispatchResult:
    """Compare the string values of CHECK constraints, of which Alembic compares only the names."""
    if found is not None and wanted is not None and context.inspector is not None:
        reflected = {it["name"]: it for it in context.inspector.get_check_constraints(name, schema=schema)}
        for constraint in sorted(_checks(wanted), key=lambda it: str(it.name)):
            existing = reflected.get(str(constraint.name))
            if existing is not None and literals(str(existing["sqltext"])) != literals(sql_of(constraint)):
                old = CheckConstraint(str(existing["sqltext"]), name=conv(str(existing["name"])), table=found)
                operations.ops.append(DropConstraintOp.from_constraint(old))
                operations.ops.append(AddConstraintOp.from_constraint(constraint))
    return PriorityDispatchResult.CONTINUE


def _compare_enums(
    context: AutogenContext,
    _operations: ModifyTableOps,
    _schema: str | None,
    name: str,
    found: Table | None,
    wanted: Table | None,
) -> PriorityDispatchResult:
    if found is not None and wanted is not None and context.dialect is not None:
        problems = context.opts["native_enums"]
        for column in wanted.columns:
            existing = found.columns.get(column.name)
            if isinstance(column.type, Enum) and existing is not None and isinstance(existing.type, Enum):
                new = [value for value in column.type.enums if value not in existing.type.enums]
                gone = [value for value in existing.type.enums if value not in column.type.enums]
                if new or gone:
                    problems.append(_native(name, column.name, str(existing.type.name), new, gone))
    return PriorityDispatchResult.CONTINUE


def _native(table: str, column: str, type_name: str, new: list[str], gone: list[str]) -> str:
    parts = [f"the model adds {', '.join(map(repr, new))}"] if new else []
    parts += [f"the model lacks {', '.join(map(repr, gone))}"] if gone else []
    return f"{table}.{column}: the native enum type {type_name} differs: {', '.join(parts)}"


def _checks(table: Table) -> Iterator[CheckConstraint]:
    return (it for it in table.constraints if isinstance(it, CheckConstraint) and it.name is not None)
