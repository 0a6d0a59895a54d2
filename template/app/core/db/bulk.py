"""Writing many rows at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Boolean, ColumnElement, Update, case, cast, column, inspect, null, update
from sqlalchemy import values as values_clause
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import SQLModel, col

from app.core.db.bulk_changes import report_bulk_change
from app.core.db.database import is_unique_violation
from app.core.db.models import Entity, utc_now
from app.core.errors import ConflictError

MAX_BULK_ROWS: Final = 1000
"""Maximum number of rows that are written at once. Split more with `itertools.batched`, into several transactions."""
MAX_BULK_VALUES: Final = 10_000
"""Maximum of rows times changed columns in a bulk update. A statement has at most 32,766 parameters."""

PROTECTED: Final = frozenset({"id", "created_at", "updated_at"})
"""Columns that no update sets: keys and creation times don't change, and the database layer sets `updated_at`."""

type Values = BaseModel | Mapping[str, object]


def bounded[R](rows: Iterable[R]) -> list[R]:
    """Return the rows as a list.

    Raises:
        ValueError: there are too many.
    """
    result: list[R] = []
    for row in rows:
        if len(result) == MAX_BULK_ROWS:
            raise ValueError(f"At most {MAX_BULK_ROWS} rows can be written at once. Split them with itertools.batched.")
        result.append(row)
    return result


def values_of(data: Values, *, only_set: bool = False) -> Mapping[str, object]:
    """Return the values by the names of the fields. With `only_set`, leave out a schema's defaults."""
    return data.model_dump(exclude_unset=only_set) if isinstance(data, BaseModel) else data


def check_fields(model: type[SQLModel], values: Mapping[str, object]) -> None:
    """Refuse misspelt names, which would be ignored."""
    unknown = values.keys() - model.model_fields.keys()
    if unknown:
        raise TypeError(f"{model.__name__} has no field {', '.join(sorted(unknown))}.")


def assign[M: SQLModel](entity: M, values: Mapping[str, object]) -> M:
    """Set the fields of an object and return it.

    Raises:
        TypeError: it has no such field.
    """
    check_fields(type(entity), values)
    for name, value in values.items():
        setattr(entity, name, value)
    return entity


def check_changes(model: type[SQLModel], values: Mapping[str, object], *others: str | None) -> None:
    """Refuse misspelt names, and changes of protected columns.

    Args:
        model: the table.
        values: the new values.
        others: further protected columns, such as the owner.
    """
    check_fields(model, values)
    protected = values.keys() & PROTECTED.union(name for name in others if name)
    if protected:
        raise TypeError(f"{model.__name__} has protected fields: {', '.join(sorted(protected))}.")


@contextmanager
def conflicts(model: type[SQLModel]) -> Iterator[None]:
    """Raise `ConflictError` if a value that must be unique is taken."""
    try:
        yield
    except IntegrityError as error:
        if is_unique_violation(error):
            raise ConflictError(f"{model.__name__} already exists.") from error
        raise


async def update_rows[M: Entity](
    session: AsyncSession,
    model: type[M],
    changes: Mapping[UUID, Values],
    visible: Sequence[ColumnElement[bool]],
    owner: str | None = None,
) -> int:
    """Change rows by their keys, each to its own values, in one statement. Returns the number of changed rows.

    Args:
        changes: the new values by the keys. Of a schema, only the fields that were set.
        visible: conditions that a row has to meet.
        owner: the name of the column with the owner, which can't be changed.
    """
    rows = {id_: dict(values_of(changes[id_], only_set=True)) for id_ in bounded(changes)}
    if not rows:
        return 0
    changed_names = {name: None for values in rows.values() for name in values}
    check_changes(model, changed_names, owner)
    now = utc_now()
    for values in rows.values():
        values["updated_at"] = now
    names = [*changed_names, "updated_at"]
    if len(rows) * len(names) > MAX_BULK_VALUES:
        raise ValueError(
            f"At most {MAX_BULK_VALUES} values can be written at once. Split the rows with itertools.batched."
        )
    # Pending changes first: they must not overwrite these later.
    await session.flush()
    statement = _statement(model, names, rows).where(*visible).execution_options(synchronize_session=False)
    with conflicts(model):
        changed = (await session.scalars(statement.returning(col(model.id)))).all()
    for id_ in changed:
        loaded = session.identity_map.get(inspect(model).identity_key_from_primary_key((id_,)))
        for name, value in rows[id_].items() if loaded is not None else ():
            set_committed_value(loaded, name, value)
    await report_bulk_change(session, model, "updated", len(changed), set(names) - {"updated_at"})
    return len(changed)


def _statement(model: type[Entity], names: Sequence[str], rows: Mapping[UUID, Mapping[str, object]]) -> Update:
    """Return the statement that joins the table with a list of the new values.

    If some rows leave out a column, a flag in the list says which rows have a value for it.
    """
    own = inspect(model).columns
    partial = {name for name in names if any(name not in values for values in rows.values())}
    # PostgreSQL takes a list of nothing but NULL for text.
    nulls = {name: cast(null(), own[name].type) for name in names}
    new = (
        values_clause(
            column("id", own["id"].type),
            *(column(name, own[name].type) for name in names),
            *(column(f"has_{name}", Boolean()) for name in sorted(partial)),
            name="new_values",
        )
        .data(
            [
                (
                    id_,
                    *(nulls[name] if each.get(name) is None else each[name] for name in names),
                    *(name in each for name in sorted(partial)),
                )
                for id_, each in rows.items()
            ]
        )
        .cte("new_values")
    )
    assigned = {
        name: case((new.c[f"has_{name}"], new.c[name]), else_=own[name]) if name in partial else new.c[name]
        for name in names
    }
    return update(model).where(own["id"] == new.c.id).values(assigned)
