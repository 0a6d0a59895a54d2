"""The encrypted columns of all tables, as they are checked at start."""

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel

from app.core.manifest import Module
from app.crypto.columns import EncryptedColumnError, EncryptedText
from app.crypto.tables import check_columns, encrypted_columns
from tests.crypto.integrations import MODULES


class Renamed(SQLModel, table=True):
    """A table whose column had another name."""

    metadata = MetaData()

    id: int = Field(primary_key=True)
    token: SecretStr = Field(sa_type=EncryptedText("former.name"))


class Copied(SQLModel, table=True):
    """A table whose column was copied from the other one."""

    metadata = MetaData()

    id: int = Field(primary_key=True)
    token: SecretStr = Field(sa_type=EncryptedText("former.name"))


class TwoKeys(SQLModel, table=True):
    """A table with two columns as its key."""

    metadata = MetaData()

    user: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    token: SecretStr = Field(sa_type=EncryptedText)


def module(*models: Any) -> Module:  # noqa: ANN401 - tables
    return Module(name="tables", models=models)


def test_all_are_found() -> None:
    assert [type_.place for _, type_ in encrypted_columns(MODULES)] == [
        "integrations.token",
        "integrations.note",
        "preferences.value",
        "numbered.secret",
    ]
    check_columns(MODULES)


def test_a_renamed_column_keeps_its_context() -> None:
    ((_, type_),) = encrypted_columns([module(Renamed)])

    assert type_.context_of("1") == "former.name/1"


def test_two_columns_with_one_context_are_refused() -> None:
    with pytest.raises(EncryptedColumnError, match=r"have the context former\.name"):
        check_columns([module(Renamed), module(Copied)])


def test_a_key_of_two_columns_is_refused() -> None:
    with pytest.raises(EncryptedColumnError, match="a primary key of 2 columns: use row_bound=False"):
        check_columns([module(TwoKeys)])
