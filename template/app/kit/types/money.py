"""Amounts of money: an integer in the currency's smallest unit. Nothing is rounded unless a method says so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Annotated, ClassVar, Final, Self

from pydantic import ConfigDict, Field

from app.kit.types.currency import MINOR_DIGITS, CurrencyCode, check_currency

MAX_AMOUNT: Final = 10**15
"""Larger than any invoice, and exact as a JSON number in every language (below 2**53)."""

MAX_NUMBER_LENGTH: Final = 100
"""Characters of a number in text, such as `19.99`."""

_EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
"""Refuses results with more digits: the largest amount times a factor of 40 digits is exact."""

Amount = Annotated[
    int,
    Field(
        strict=True,
        ge=-MAX_AMOUNT,
        le=MAX_AMOUNT,
        description="An amount in the currency's smallest unit: 1999 is €19.99, or ¥1999.",
        examples=[1999],
    ),
]
"""An amount without its currency. Decimal numbers and strings are refused."""


class CurrencyMismatchError(ValueError):
    """Two amounts in different currencies are added, subtracted or compared."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other} cannot be combined: convert one of the amounts first.")


class AmountError(ValueError):
    """The amount is not an integer in the currency's smallest unit, or is larger than 10**15 of them."""

    def __init__(self, message: str = f"An amount is an integer from -{MAX_AMOUNT} to {MAX_AMOUNT}.") -> None:
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency: `Money(1999, "EUR")` is €19.99. As a field: `total: Money`.

    Amounts of one currency can be added, subtracted, compared and multiplied by an integer. Different currencies raise
    `CurrencyMismatchError`; they are never equal.

    Attributes:
        amount: in the currency's smallest unit.
        currency: its code (ISO 4217).

    Raises:
        AmountError: the amount is not an integer or too large. Results are checked too.
        ValueError: no currency has this code.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    amount: Amount
    currency: CurrencyCode

    def __post_init__(self) -> None:
        if type(self.amount) is not int or abs(self.amount) > MAX_AMOUNT:
            raise AmountError
        if self.currency not in MINOR_DIGITS:
            object.__setattr__(self, "currency", check_currency(self.currency))

    @classmethod
    def of(cls, value: Decimal | int | str, currency: str) -> Self:
        """Return an amount in whole units: `Money.of("19.99", "EUR")` is 1,999 cents.

        Raises:
            AmountError: the value is not a number, too large, or has more decimal places than the currency.
            ValueError: no currency has this code.
        """
        code = check_currency(currency)
        digits = MINOR_DIGITS[code]
        if isinstance(value, float):
            raise AmountError("The digits of a float are not exact: pass a Decimal or a string.")
        if isinstance(value, bool) or (isinstance(value, str) and len(value) > MAX_NUMBER_LENGTH):
            raise AmountError("The value is not a number that can be an amount.")
        if isinstance(value, int) and abs(value) > MAX_AMOUNT:
            raise AmountError
        with localcontext(_EXACT):
            try:
                minor = Decimal(value).scaleb(digits)
            except (DecimalException, ValueError):
                raise AmountError("The value is not a number that can be an amount.") from None
            if not minor.is_finite() or abs(minor) > MAX_AMOUNT:
                raise AmountError
            if minor != int(minor):
                raise AmountError(f"An amount in {code} has at most {digits} decimal places.")
        return cls(int(minor), code)

    @classmethod
    def sum(cls, amounts: Iterable[Self], currency: str) -> Self:
        """Add amounts; without any, the sum is zero in the currency.

        Raises:
            CurrencyMismatchError: one of them is in another currency.
        """
        total = cls(0, currency)
        for amount in amounts:
            total += amount
        return total

    @property
    def decimal(self) -> Decimal:
        """The amount in whole units: `Decimal("19.99")`."""
        return Decimal(self.amount).scaleb(-MINOR_DIGITS[self.currency], context=_EXACT)

    def times(self, factor: Decimal | int, *, rounding: str = ROUND_HALF_EVEN) -> Self:
        """Multiply by a factor, such as a tax rate, and round once to the smallest unit.

        Args:
            factor: an exact number of at most 40 digits: `Decimal("0.077")`.
            rounding: one of the modes of the module `decimal`.

        Raises:
            AmountError: the factor is not a number or has too many digits, or the result is too large.
        """
        with localcontext(_EXACT):
            try:
                product = (Decimal(self.amount) * factor).to_integral_value(rounding=rounding)
            except DecimalException:
                raise AmountError from None
            if not product.is_finite() or abs(product) > MAX_AMOUNT:
                raise AmountError
            return type(self)(int(product), self.currency)

    def split(self, weights: Sequence[int]) -> list[Self]:
        """Split the amount in the proportion of the weights. The parts add up to the amount.

        The remainder is distributed to the first parts whose weight is not zero, one smallest unit each.

        Raises:
            ValueError: a weight is negative, or all are zero.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("Weights must not be negative, and at least one must be positive.")
        sign = -1 if self.amount < 0 else 1
        parts = [abs(self.amount) * weight // total for weight in weights]
        left = abs(self.amount) - sum(parts)
        for index, weight in enumerate(weights):
            if weight and left:
                parts[index] += 1
                left -= 1
        return [type(self)(sign * part, self.currency) for part in parts]

    def __add__(self, other: Self) -> Self:
        return type(self)(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: int) -> Self:
        if type(factor) is not int:
            return NotImplemented
        return type(self)(self.amount * factor, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Self:
        return type(self)(-self.amount, self.currency)

    def __abs__(self) -> Self:
        return type(self)(abs(self.amount), self.currency)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __lt__(self, other: Self) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Self) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Self) -> bool:
        return self.amount >= self._same(other)

    def __str__(self) -> str:
        return f"{self.decimal:f} {self.currency}"

    def _same(self, other: Self) -> int:
        if self.currency != other.currency:
            raise CurrencyMismatchError(self.currency, other.currency)
        return other.amount
