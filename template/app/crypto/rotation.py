"""Rotation: encrypt the values of former keys again, with the first key of ENCRYPTION_KEYS."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Text,
    bindparam,
    case,
    column,
    func,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.manifest import modules_of
from app.core.runtime import Runtime
from app.crypto.columns import EncryptedColumnError, EncryptedText, row_text
from app.crypto.settings import CryptoSettings
from app.crypto.tables import encrypted_columns
from app.kit.crypto.encryption import EncryptionError, Keyring, prefix_of

type Parameters = dict[str, Any]
"""The parameters of the statement that writes a value."""

BATCH: Final = 200
"""Values that one transaction encrypts, so that no row is locked for long."""
MAX_PASSES: Final = 3
"""Passes over a column. A later pass handles the rows that other transactions had locked."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A value that cannot be decrypted.

    Attributes:
        row: the primary key.
        reason: the error, without the value.
    """

    row: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one batch.

    Attributes:
        done: the number of values that were encrypted again or, in a dry run, can be.
        failures: the values that cannot be decrypted.
    """

    done: int
    failures: Sequence[Failure]


class RotatedColumn:
    """An encrypted column, and its ciphertexts as plain text."""

    def __init__(self, encrypted: Column[Any], type_: EncryptedText) -> None:
        owner = encrypted.table
        self.name = f"{owner.name}.{encrypted.name}"
        self._type = type_
        # A bare table: its column has no type that decrypts, and updates don't touch `updated_at`.
        self._keys = [column(key.name, key.type) for key in owner.primary_key.columns]
        self._value = column(encrypted.name, Text)
        self._table = table(owner.name, *self._keys, self._value, schema=owner.schema)

    def counts(self, key_ids: Sequence[str]) -> Select[Any]:
        """Return the statement that counts the values by key, in the order of the ids, and then all values."""
        each = [func.count(case((self._encrypted_with(id_), 1))) for id_ in key_ids]
        columns: list[ColumnElement[Any]] = [*each, func.count(self._value)]
        return select(*columns).select_from(self._table)

    def batch(self, keyring: Keyring, after: Sequence[object] | None) -> Select[Any]:
        """Return the statement that selects and locks values of former keys: the primary key, then the value."""
        # Rows that another transaction has locked are skipped: waiting for them could end in a deadlock.
        statement = (
            select(*self._keys, self._value)
            .where(self._value.is_not(None), ~self._encrypted_with(keyring.current_id))
            .order_by(*self._keys)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        return statement if after is None else statement.where(tuple_(*self._keys) > tuple(after))

    def reencrypt(self, keyring: Keyring, rows: Sequence[Row[Any]]) -> tuple[list[Parameters], list[Failure]]:
        """Encrypt values with the current key.

        Returns:
            The parameters of `write`, and the values that cannot be decrypted.
        """
        parameters: list[Parameters] = []
        failures: list[Failure] = []
        for row in rows:
            *key, value = tuple[Any, ...](row)
            try:
                context = self._type.context_of(row_text(key[0]) if len(key) == 1 else None)
                new = keyring.encrypt(keyring.decrypt(value, context=context), context=context)
            except (EncryptionError, EncryptedColumnError) as error:
                failures.append(Failure(", ".join(map(str, key)), str(error)))
            else:
                keys = {f"key_{number}": part for number, part in enumerate(key)}
                parameters.append({**keys, "old_value": value, "new_value": new})
        return parameters, failures

    async def write(self, connection: AsyncConnection, parameters: Sequence[Parameters]) -> None:
        """Write encrypted values, each in place of the value that it was made from."""
        same = [key == bindparam(f"key_{number}", type_=key.type) for number, key in enumerate(self._keys)]
        statement = update(self._table).where(*same, self._value == bindparam("old_value", type_=Text))
        if parameters:
            await connection.execute(statement.values({self._value: bindparam("new_value", type_=Text)}), parameters)

    def _encrypted_with(self, key_id: str) -> ColumnElement[bool]:
        return self._value.startswith(prefix_of(key_id), autoescape=True)


def rotated_columns(runtime: Runtime) -> Iterator[RotatedColumn]:
    """Yield the encrypted columns of every module's tables."""
    for encrypted, type_ in encrypted_columns(modules_of(runtime)):
        yield RotatedColumn(encrypted, type_)


async def count_by_key(runtime: Runtime, rotated: RotatedColumn) -> dict[str, int]:
    """Count a column's values by the id of their key. Values of unknown keys are counted as `unknown`."""
    ids = runtime.resource(CryptoSettings).keyring.ids
    async with runtime.database.reading() as session:
        counts = list((await session.execute(rotated.counts(ids))).one())
    total = counts.pop()
    found = dict(zip(ids, counts, strict=True))
    return found | {"unknown": total - sum(counts)}


async def rotate(runtime: Runtime, rotated: RotatedColumn, *, dry_run: bool = False) -> AsyncIterator[Batch]:
    """Encrypt a column's values again that a former key has encrypted, in batches with a transaction each.

    Safe beside running processes: a value that is changed meanwhile is left alone, and handled by a later pass if it
    still has a former key. When it is interrupted, the next run continues.

    Args:
        dry_run: only decrypt the values.
    """
    for _ in range(1 if dry_run else MAX_PASSES):
        done = 0
        async for batch in _pass(runtime, rotated, dry_run=dry_run):
            done += batch.done
            yield batch
        if done == 0:
            return


async def _pass(runtime: Runtime, rotated: RotatedColumn, *, dry_run: bool) -> AsyncIterator[Batch]:
    keyring = runtime.resource(CryptoSettings).keyring
    after: Sequence[object] | None = None
    while True:
        async with runtime.database.transaction() as session:
            connection = await session.connection()
            rows = (await connection.execute(rotated.batch(keyring, after))).all()
            parameters, failures = rotated.reencrypt(keyring, rows)
            if not dry_run:
                await rotated.write(connection, parameters)
        if rows:
            yield Batch(len(parameters), failures)
            after = rows[-1][:-1]
        if len(rows) < BATCH:
            return
