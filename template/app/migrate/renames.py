"""Columns and tables that may have been renamed: autogenerate only sees that one is gone and another is new."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateTableOp,
    DowngradeOps,
    DropColumnOp,
    DropTableOp,
    MigrateOperation,
    ModifyTableOps,
    OpContainer,
    UpgradeOps,
)
from sqlalchemy import Column

from app.kit.user_error import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The user's choices for missing tables and columns: renamed or dropped.

    Attributes:
        renames: new names of columns, by table and old name.
        drops: tables (`invoices`) and columns (`invoices.note`) that are to be dropped.
    """

    renames: dict[tuple[str, str], str] = field(default_factory=dict)
    drops: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, renames: Iterable[str], drops: Iterable[str]) -> Self:
        """Read the options of the command: `table.old=new`, and `table` or `table.column`.

        Raises:
            UserError: one of them has another form.
        """
        found = {}
        for text in renames:
            old, equals, new = text.partition("=")
            table, dot, column = old.partition(".")
            if not (table and dot and column and equals and new.isidentifier()):
                raise UserError(f"--rename {text}: write TABLE.OLD=NEW, for example --rename invoices.note=comment")
            found[table, column] = new
        return cls(renames=found, drops=frozenset(drops))


def apply_choices(upgrade: UpgradeOps, downgrade: DowngradeOps, choices: Choices) -> None:
    """Turn a dropped and an added column into a rename where the choices say so.

    Raises:
        UserError: the choices don't say whether something was renamed or dropped.
    """
    renames: list[tuple[str, Column[Any], str]] = []
    unclear = [*_unclear_tables(upgrade.ops, choices)]
    for operation in upgrade.ops:
        if isinstance(operation, ModifyTableOps):
            renames.extend(_renamed(operation, choices))
            unclear.extend(_unclear_columns(operation, choices))
    if unclear:
        raise UserError("\n".join(unclear))
    if not renames:
        return
    upgrade.reverse_into(downgrade)
    # First in both directions: what follows uses the names of that side.
    upgrade.ops[:0] = [_rename(table, column, column.name, new) for table, column, new in renames]
    downgrade.ops[:0] = [_rename(table, column, new, column.name) for table, column, new in renames]


def losses(operations: Iterable[MigrateOperation]) -> Iterator[str]:
    """Yield the tables and columns that the operations drop."""
    for operation in operations:
        if isinstance(operation, OpContainer):
            yield from losses(operation.ops)
        elif isinstance(operation, DropTableOp):
            yield f"table {operation.table_name}"
        elif isinstance(operation, DropColumnOp):
            yield f"column {operation.table_name}.{operation.column_name}"


def _renamed(operation: ModifyTableOps, choices: Choices) -> Iterator[tuple[str, Column[Any], str]]:
    """Take the renamed columns out of a table's operations."""
    added = {it.column.name: it for it in operation.ops if isinstance(it, AddColumnOp)}
    for dropped in [it for it in operation.ops if isinstance(it, DropColumnOp)]:
        new = choices.renames.get((operation.table_name, dropped.column_name))
        if new is None:
            continue
        if new not in added:
            raise UserError(
                f"--rename {operation.table_name}.{dropped.column_name}={new}: the model has no new column {new}."
            )
        operation.ops.remove(dropped)
        operation.ops.remove(added[new])
        yield operation.table_name, dropped.to_column(), new


def _unclear_columns(operation: ModifyTableOps, choices: Choices) -> Iterator[str]:
    table = operation.table_name
    for dropped in [it for it in operation.ops if isinstance(it, DropColumnOp)]:
        kind = dropped.to_column().type._type_affinity  # noqa: SLF001 - SQLAlchemy has no public name for it
        candidates = [
            it.column.name
            for it in operation.ops
            if isinstance(it, AddColumnOp) and it.column.type._type_affinity is kind  # noqa: SLF001
        ]
        old = f"{table}.{dropped.column_name}"
        if candidates and old not in choices.drops:
            ways = "".join(f"  renamed to {new}, keeping its values: --rename {old}={new}\n" for new in candidates)
            yield f"{old} is not in the model any more. Was it renamed?\n{ways}  dropped with its values: --drop {old}"


def _unclear_tables(operations: Iterable[MigrateOperation], choices: Choices) -> Iterator[str]:
    operations = list(operations)
    created = [it for it in operations if isinstance(it, CreateTableOp)]
    for dropped in [it for it in operations if isinstance(it, DropTableOp)]:
        old = dropped.table_name
        names = {column.name for column in dropped.to_table().columns}
        for candidate in created:
            shared = names & {it.name for it in candidate.columns if isinstance(it, Column)}
            if old not in choices.drops and 2 * len(shared) > len(names):
                new = candidate.table_name
                yield (
                    f"The table {old} has no model any more, and {new} is new with similar columns. Was it renamed?\n"
                    f"  renamed, keeping its rows: app db revision --empty -m 'Rename {old}', and fill it with "
                    f'op.rename_table("{old}", "{new}"); docs/database.md has the rest\n'
                    f"  dropped with its rows: --drop {old}"
                )


def _rename(table: str, column: Column[Any], old: str, new: str) -> ModifyTableOps:
    alter = AlterColumnOp(
        table, old, modify_name=new, existing_type=column.type, existing_nullable=bool(column.nullable)
    )
    return ModifyTableOps(table, [alter])
