"""Encrypted columns: text that is readable only with the keys of ENCRYPTION_KEYS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import SecretStr
from sqlalchemy import Column, Dialect, Text, Uuid, cast, event, inspect, literal, type_coerce
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ClauseElement, ColumnElement
from sqlalchemy.sql.schema import SchemaItem, Table
from sqlalchemy.types import TypeDecorator

from app.kit.crypto.encryption import EncryptionError, Keyring

_SEPARATOR: Final = "/"
_keyrings: Final[WeakKeyDictionary[Dialect, Keyring]] = WeakKeyDictionary()
"""The keys by engine: a column type receives the engine's dialect, and not the runtime."""


@contextmanager
def encrypting(engine: AsyncEngine, keyring: Keyring) -> Iterator[None]:
    """Use these keys for the encrypted columns that the engine reads and writes, until the end of the block."""
    before = _keyrings.get(engine.dialect)
    _keyrings[engine.dialect] = keyring
    try:
        yield
    finally:
        if before is None:
            _keyrings.pop(engine.dialect, None)
        else:
            _keyrings[engine.dialect] = before


class EncryptedColumnError(Exception):
    """An encrypted column cannot be read or written. The message names the column and contains no values."""


class RowSecret(SecretStr):
    """A secret for one row of an encrypted column, for statements that don't go through the ORM's flush.

    Use:

        insert(Integration).values(id=id_, token=RowSecret("…", row=id_))

    Args:
        value: the plaintext.
        row: the primary key.
    """

    def __init__(self, value: str, *, row: UUID | int | str) -> None:
        super().__init__(value)
        self.row = row

    def __eq__(self, other: object) -> bool:
        """Compare the values, whatever their rows are."""
        return isinstance(other, SecretStr) and self.get_secret_value() == other.get_secret_value()

    def __hash__(self) -> int:
        """Return the hash of the value."""
        return hash(self.get_secret_value())


class _NotComparable(TypeDecorator.Comparator[SecretStr]):
    """The operators of encrypted columns: comparisons with `None` only, as equal values have different ciphertexts."""

    def operate(self, op: operators.OperatorType, *other: Any, **kwargs: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's signature
        """Apply an operator.

        Raises:
            EncryptedColumnError: the operator needs the plaintext.
        """
        # SQLAlchemy itself compares columns with each other, as keys of dictionaries.
        with_value = other and other[0] is not None and not isinstance(other[0], ClauseElement)
        if op not in {operators.is_, operators.is_not, operators.eq, operators.ne} or with_value:
            raise EncryptedColumnError(
                f"{self.expr} is encrypted: it can be compared with None, but not with a value, searched or sorted. "
                f"Store a `keyed_digest` in a second column to look rows up by the value."
            )
        return super().operate(op, *other, **kwargs)


class EncryptedText(TypeDecorator[SecretStr]):
    """The type of a column with encrypted text: `token: SecretStr = Field(sa_type=EncryptedText)`.

    Attributes hold `SecretStr`, which logs, `repr` and responses show as asterisks. A value is bound to its table,
    column and row: copied to another one, it cannot be decrypted.

    Args:
        context: the table and column that the values are bound to, as `table.column`. Set it to the former name before
            the table or the column is renamed; by default, it is the current name.
        row_bound: whether a value is bound to the row as well. Without it, `update(Model).values(…)` can write the
            column, and a person with write access to the database can copy values between rows. The table needs a
            primary key of one column, of the type UUID, integer or text, whose values never change.
    """

    impl = Text
    cache_ok = True
    comparator_factory = _NotComparable

    def __init__(self, context: str | None = None, *, row_bound: bool = True) -> None:
        super().__init__()
        self.context = context
        self.row_bound = row_bound
        self._named = context is not None
        self._copied = False
        self._column: Column[Any] | None = None
        event.listen(self, "after_parent_attach", _attach)

    def copy(self, **kwargs: Any) -> Self:  # noqa: ANN401 - SQLAlchemy's signature
        """Return the same type for a dialect, or for a copy of the column."""
        copied = super().copy(**kwargs)
        copied._copied = True  # noqa: SLF001 - of the same class
        return copied

    @property
    def place(self) -> str:
        """The table and column, for the associated data and messages."""
        if self.context is None:
            raise EncryptedColumnError("The type EncryptedText belongs to a column of a table.")
        return self.context

    def process_bind_param(self, value: SecretStr | None, dialect: Dialect) -> str | None:
        """Encrypt a value.

        Raises:
            EncryptedColumnError: the value is not a `SecretStr` or too long, or its row is unknown.
        """
        if value is None:
            return None
        if not isinstance(value, SecretStr):
            raise _no_secret(self.place)
        row: str | None = None
        if self.row_bound:
            if not isinstance(value, RowSecret):
                raise EncryptedColumnError(
                    f"{self.place} is bound to its row, which this statement doesn't name. Add or change the object in "
                    f"a session, or pass RowSecret(value, row=id)."
                )
            row = row_text(value.row)
        with self._explained():
            return self._keyring(dialect).encrypt(value.get_secret_value(), context=self.context_of(row))

    def process_result_value(self, value: str | None, dialect: Dialect) -> SecretStr | None:
        """Decrypt a value.

        Raises:
            EncryptedColumnError: its key is unknown, or it was not encrypted for this row.
        """
        if value is None:
            return None
        row, separator, sealed = value.rpartition(_SEPARATOR)
        with self._explained():
            context = self.context_of(row if separator else None)
            return SecretStr(self._keyring(dialect).decrypt(sealed, context=context))

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Select the row's key together with the value, which is bound to it."""
        if not self.row_bound:
            return column
        table = getattr(column, "table", None)
        key = primary_key_of(self._table())
        if table is None or key.key not in table.c:
            raise EncryptedColumnError(f"{self.place} is bound to its row: select its primary key in the subquery too.")
        text = cast(table.c[key.key], Text)
        return type_coerce(text + literal(_SEPARATOR, Text) + type_coerce(column, Text), self)

    def context_of(self, row: str | None) -> str:
        """Return the associated data of a value."""
        if not self.row_bound:
            return self.place
        if row is None:
            raise EncryptedColumnError(f"{self.place} is bound to its row, which the statement doesn't select.")
        if isinstance(primary_key_of(self._table()).type, Uuid):
            # PostgreSQL shows a UUID with hyphens, and SQLite stores it without.
            row = row.replace("-", "")
        return f"{self.place}{_SEPARATOR}{row}"

    def _table(self) -> Table:
        if self._column is None:
            raise EncryptedColumnError("The type EncryptedText belongs to a column of a table.")
        return self._column.table

    def _keyring(self, dialect: Dialect) -> Keyring:
        try:
            return _keyrings[dialect]
        except KeyError:
            raise EncryptedColumnError(
                f"{self.place} is encrypted, and this engine has no keys. Use the runtime's database, or `encrypting`."
            ) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except EncryptionError as error:
            raise EncryptedColumnError(f"{self.place}: {error}") from error


def _no_secret(place: str) -> EncryptedColumnError:
    return EncryptedColumnError(f"{place} takes a SecretStr, which is not shown in logs.")


def primary_key_of(table: Table) -> Column[Any]:
    """Return the column that values of a table are bound to.

    Raises:
        EncryptedColumnError: the primary key has several columns.
    """
    keys = list(table.primary_key.columns)
    if len(keys) != 1:
        raise EncryptedColumnError(f"{table.name} has a primary key of {len(keys)} columns: use row_bound=False.")
    return keys[0]


def row_text(row: UUID | int | str) -> str:
    """Return the text of a primary key, which is the same on every database."""
    return row.hex if isinstance(row, UUID) else str(row)


def _attach(type_: EncryptedText, column: SchemaItem) -> None:
    """Remember the column, whose name and table may be set later."""
    if not isinstance(column, Column):
        return
    if type_._column not in {None, column} and not type_._copied:  # noqa: SLF001
        raise TypeError("Each encrypted column needs a type of its own: write sa_type=EncryptedText, without brackets.")
    type_._column = column  # noqa: SLF001

    def name(attached: Column[Any], table: Table) -> None:
        if not type_._named:  # noqa: SLF001
            type_.context = f"{table.name}.{attached.name}"

    event.listen(column, "after_parent_attach", name)


@event.listens_for(Mapper, "mapper_configured")
def _bind_rows(mapper: Mapper[Any], class_: type) -> None:
    """Bind the secrets of a model's objects to their rows, when they are flushed."""
    keys = [
        mapper.get_property_by_column(column).key
        for column in mapper.columns
        if isinstance(column.type, EncryptedText) and column.type.row_bound
    ]
    if keys:
        listener = _row_binder(keys)
        event.listen(class_, "before_insert", listener, propagate=True)
        event.listen(class_, "before_update", listener, propagate=True)


def _row_binder(keys: list[str]) -> Callable[[Mapper[Any], object, object], None]:
    def bind(mapper: Mapper[Any], _connection: object, target: object) -> None:
        (row,) = mapper.primary_key_from_instance(target)
        state = inspect(target)
        if state.identity not in {None, (row,)}:
            raise EncryptedColumnError(
                f"{mapper.local_table} has values that are bound to their rows: a primary key can't change."
            )
        for key in keys:
            attribute = state.attrs[key]
            value = attribute.loaded_value
            if value is None or not attribute.history.has_changes():
                continue
            if not isinstance(value, SecretStr):
                # Here, and not with the statement, whose error would quote the value.
                raise _no_secret(f"{mapper.local_table}.{key}")
            if row is None:
                raise EncryptedColumnError(
                    f"{mapper.local_table}.{key} is bound to its row, whose primary key the database generates. Set "
                    f"the key before the object is stored, or use row_bound=False."
                )
            setattr(target, key, RowSecret(value.get_secret_value(), row=row))

    return bind
