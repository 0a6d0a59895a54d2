"""Filters, sort orders, joins and computed fields of lists. A list supports only those that its repository names."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from sqlalchemy import BigInteger, ColumnElement, Integer, SmallInteger, SQLColumnExpression, TypeDecorator
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from app.core.errors import BadRequestError
from app.kit.search import like_pattern

type Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "contains"]

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "in": lambda column, values: column.in_(values),
    "contains": lambda column, value: column.ilike(like_pattern(value), escape="\\"),
}
_INTEGER_BITS: Final = ((SmallInteger, 15), (BigInteger, 63), (Integer, 31))
_DIALECT: Final = DefaultDialect()


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition of a list: `Filter(col(Invoice.due_on), "lt")`.

    Attributes:
        column: of the table, or of one that is joined, or a computed expression.
        operator: how the column is compared with the value. `contains` ignores the case.
    """

    column: SQLColumnExpression[Any]
    operator: Operator = "eq"

    def condition(self, value: object) -> ColumnElement[bool]:
        """Return the condition for a value."""
        condition: ColumnElement[bool] = _COMPARISONS[self.operator](self.column, value)
        return condition


@dataclass(frozen=True, eq=False, slots=True)
class Join:
    """A table with at most one row for each row of the list, such as an invoice's customer.

    Attributes:
        model: the other table.
        on: the condition: `col(Customer.id) == col(Invoice.customer_id)`. Rows without a partner stay in the list.
        columns: the other table's columns by the names of the response's fields.
    """

    model: type[SQLModel]
    on: ColumnElement[bool]
    columns: Mapping[str, SQLColumnExpression[Any]]


@dataclass(frozen=True, eq=False, slots=True)
class Computed:
    """A field of a list's items that the database computes, such as the number of an invoice's lines.

    Attributes:
        name: of the response's field.
        expression: of the table's columns, or a subquery, such as `select(func.count()).where(…).scalar_subquery()`. To
            filter or sort by it, use it in `filters` and `sortable` too.
    """

    name: str
    expression: SQLColumnExpression[Any]


def conditions(filters: Mapping[str, Filter], values: Mapping[str, object]) -> list[ColumnElement[bool]]:
    """Return the conditions for these values. `None` means that the filter was not sent.

    Raises:
        BadRequestError: a column cannot have such a value: an integer is out of range, a time has no time zone.
        TypeError: the repository has no such filter.
    """
    unknown = values.keys() - filters.keys()
    if unknown:
        raise TypeError(f"The repository has no filter {', '.join(sorted(unknown))}: add it to `filters`.")
    sent = {name: value for name, value in values.items() if value is not None}
    for name, value in sent.items():
        # The database would fail, and so would the request.
        if not _is_storable(cast("ColumnElement[Any]", filters[name].column).type, value):
            raise BadRequestError(f"No row can have this value of {name}: it is out of range, or lacks a time zone.")
    return [filters[name].condition(value) for name, value in sent.items()]


def _is_storable(type_: TypeEngine[Any], value: object) -> bool:
    """Return whether a column of this type can have the value, or each value of a collection."""
    if isinstance(value, list | tuple | set | frozenset):
        return all(_is_storable(type_, each) for each in value)
    if isinstance(type_, TypeDecorator):
        try:
            type_.process_bind_param(value, _DIALECT)
        except NotImplementedError:
            pass  # It changes no values.
        except (ValueError, OverflowError):
            return False
        type_ = type_.impl_instance
    if isinstance(value, str):
        return "\0" not in value
    bits = next((bits for kind, bits in _INTEGER_BITS if isinstance(type_, kind)), None)
    return bits is None or not isinstance(value, int) or -(2**bits) <= value < 2**bits


def ordering(sortable: Mapping[str, SQLColumnExpression[Any]], sort: str) -> Sequence[SQLColumnExpression[Any]]:
    """Return the order that `sort` names: `due_on` ascending, `-due_on` descending, `status,-due_on` both.

    Raises:
        BadRequestError: it names a column that the list cannot be sorted by, or a column twice.
    """
    order: dict[str, SQLColumnExpression[Any]] = {}
    for part in sort.split(","):
        name = part.removeprefix("-")
        if name not in sortable:
            raise BadRequestError(f"The list can be sorted by {', '.join(sorted(sortable)) or 'nothing'}.")
        if name in order:
            # Each repetition would lengthen the statement.
            raise BadRequestError(f"The list can be sorted by {name} only once.")
        order[name] = sortable[name].desc() if part.startswith("-") else sortable[name].asc()
    return list(order.values())
