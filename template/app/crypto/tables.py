"""The encrypted columns of all tables."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Column, inspect

from app.core.manifest import Module
from app.crypto.columns import EncryptedColumnError, EncryptedText, primary_key_of


def encrypted_columns(modules: Sequence[Module]) -> Iterator[tuple[Column[object], EncryptedText]]:
    """Yield the encrypted columns of the modules' tables, each with its type."""
    for model in (model for module in modules for model in module.models):
        for column in inspect(model).local_table.columns:
            if isinstance(column, Column) and isinstance(column.type, EncryptedText):
                yield column, column.type


def check_columns(modules: Sequence[Module]) -> None:
    """Check the encrypted columns, when the application starts.

    Raises:
        EncryptedColumnError: two columns have the same context, so that their values could be exchanged; or a table
            with row-bound values has a primary key of several columns.
    """
    places: set[str] = set()
    for column, type_ in encrypted_columns(modules):
        if type_.place in places:
            raise EncryptedColumnError(f"Two encrypted columns have the context {type_.place}.")
        places.add(type_.place)
        if type_.row_bound:
            primary_key_of(column.table)
