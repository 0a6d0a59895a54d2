"""Currencies and their smallest units, from the package iso4217, which contains the official table."""

from typing import Annotated, Final

from iso4217 import Currency
from pydantic import AfterValidator

from app.kit.types.base import StringFormat

CODE_LENGTH: Final = 3
MINOR_DIGITS: Final = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
"""Decimal places by currency (ISO 4217): 2 for `EUR`, 0 for `JPY`, 3 for `KWD`. Metals and test codes are left out."""


def check_currency(value: str) -> str:
    """Return a currency's code in upper case.

    Raises:
        ValueError: no currency has this code.
    """
    code = value.upper() if len(value) == CODE_LENGTH and value.isascii() else ""
    if code not in MINOR_DIGITS:
        raise ValueError('must be the code of a currency, like "EUR" (ISO 4217)')
    return code


CurrencyCode = Annotated[
    str,
    StringFormat(
        check=check_currency,
        min_length=CODE_LENGTH,
        max_length=CODE_LENGTH,
        format="currency-code",
        pattern="^[A-Za-z]{3}$",
        examples=("EUR", "JPY"),
    ),
]
"""A currency: ISO 4217, in upper case."""

LowerCurrencyCode = Annotated[CurrencyCode, AfterValidator(str.lower)]
"""A `CurrencyCode` in lower case, as some payment providers write it."""
