"""Columns of money and of an enum, with the statements that the commands `app db` make: up, down, and up again."""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

import pytest
from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.engine import default
from sqlalchemy.orm import Session
from sqlmodel import Field, col

from app.core.db.columns import enum_type
from app.core.db.models import Entity, metadata
from app.core.db.money_columns import Currency, MinorUnits, MoneyProperty
from app.kit.types.money import AmountError, Money
from app.migrate import migrations
from app.migrate.database_state import on_database
from app.migrate.differences import Differences, differences, make_revision

pytestmark = pytest.mark.usefixtures("folder")


class State(StrEnum):
    """The state of a bill."""

    OPEN = "open"
    PAID = "paid"


class MoneyBill(Entity, table=True):
    """A bill."""

    __tablename__ = "money_bills"

    state: State = Field(default=State.OPEN, sa_type=enum_type(State))
    total_minor: int = Field(sa_type=MinorUnits)
    currency: str = Field(sa_type=Currency)
    total: ClassVar = MoneyProperty("total_minor", "currency")


DIALECT = default.DefaultDialect()
TABLE = metadata.tables["money_bills"]
metadata.remove(TABLE)


@pytest.fixture
def table() -> Iterator[None]:
    """Add the table to those of the application, for one test."""
    metadata._add_table(TABLE.name, None, TABLE)  # noqa: SLF001 - no public method puts a table back
    yield
    metadata.remove(TABLE)


@pytest.mark.usefixtures("table")
async def test_money_survives_autogenerate_up_and_down(url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, url)
    written = await asyncio.to_thread(make_revision, url, "Bills")
    assert written.path is not None
    text = written.path.read_text(encoding="utf-8")
    assert "sa.BigInteger()" in text
    assert "sa.String(length=3)" in text
    assert "import app" not in text
    for _ in range(2):
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == Differences([], [])
        await asyncio.to_thread(on_database, url, lambda connection: write_and_read(Session(connection)))
        await asyncio.to_thread(migrations.downgrade, url, "app@base")
        assert TABLE.name not in await asyncio.to_thread(on_database, url, table_names)


def table_names(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def write_and_read(session: Session) -> None:
    bill = MoneyBill(total_minor=10**15, currency="JPY")
    session.add(bill)
    session.add(MoneyBill(total_minor=-5, currency="JPY", state=State.PAID))
    session.flush()
    session.expire_all()
    assert bill.total == Money(10**15, "JPY")
    assert session.scalar(select(func.sum(col(MoneyBill.total_minor)))) == 10**15 - 5
    bill.total_minor, bill.currency = 1999, "EUR"
    session.flush()
    assert session.scalars(select(MoneyBill).where(col(MoneyBill.currency) == "EUR")).one().total == Money(1999, "EUR")
    assert session.scalars(select(col(MoneyBill.state)).where(col(MoneyBill.total_minor) < 0)).one() is State.PAID


@pytest.mark.parametrize("amount", [19.99, "1999", True, 10**15 + 1])
def test_an_amount_that_is_not_an_integer_is_refused_before_the_database(amount: int) -> None:
    with pytest.raises(AmountError):
        MinorUnits().process_bind_param(amount, DIALECT)


@pytest.mark.parametrize("code", ["eur", "EURO", "AAA", ""])
def test_a_currency_that_does_not_exist_reaches_no_database(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Currency().process_bind_param(code, DIALECT)


def test_the_class_has_the_property_itself() -> None:
    assert isinstance(MoneyBill.total, MoneyProperty)
