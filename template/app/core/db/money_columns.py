"""Columns for amounts of money: one for the smallest units, one for the currency. The same on every database."""

from typing import Self, overload

from sqlalchemy import BigInteger, Dialect, String
from sqlalchemy.types import TypeDecorator

from app.kit.types.currency import MINOR_DIGITS
from app.kit.types.money import MAX_AMOUNT, AmountError, Money


class MinorUnits(TypeDecorator[int]):
    """The type of a column with an amount in the currency's smallest unit: a BIGINT.

    SQLite would store 19.99 in it, and PostgreSQL would round it: everything but an integer is refused.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the value for the driver.

        Raises:
            AmountError: it is not an integer, or larger than 10**15.
        """
        if value is not None and (type(value) is not int or abs(value) > MAX_AMOUNT):
            raise AmountError
        return value


class Currency(TypeDecorator[str]):
    """The type of a column with a currency's code (ISO 4217)."""

    impl = String(3)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the value for the driver.

        Raises:
            ValueError: no currency has this code.
        """
        if value is not None and value not in MINOR_DIGITS:
            raise ValueError("A currency is stored as its code in upper case, like EUR (ISO 4217).")
        return value


class MoneyProperty:
    """A property of a table that reads two of its columns as `Money`.

        class Invoice(Entity, table=True):
            total_minor: int = Field(sa_type=MinorUnits)
            currency: str = Field(sa_type=Currency)
            total: ClassVar = MoneyProperty("total_minor", "currency")

    `invoice.total` is a `Money`. It is read-only: assign to the columns. Statements use the columns as well.

    Args:
        amount: the name of the column with the amount.
        currency: the name of the column with the currency. Several amounts can share it.
    """

    def __init__(self, amount: str, currency: str) -> None:
        self._amount = amount
        self._currency = currency

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Money: ...

    def __get__(self, instance: object, owner: type | None = None, /) -> Self | Money:
        """Return the amount of a row."""
        if instance is None:
            return self
        return Money(getattr(instance, self._amount), getattr(instance, self._currency))
