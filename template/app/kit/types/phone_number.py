"""Telephone numbers, with Google's metadata (the library phonenumberslite)."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

import phonenumbers
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from app.kit.types.base import StringFormat

MAX_TYPED_LENGTH: Final = 40
_TYPED: Final = re.compile(r"\+?[\d\s().\u00a0\u2010-\u2015/-]+")
"""No letters, which the library would take for digits, and no extension."""


def check_phone_number(value: str, region: str | None = None) -> str:
    """Return a number in the form of E.164, such as `+41446681800`.

    Args:
        value: as typed, with spaces, brackets or hyphens.
        region: the country whose numbers may be typed without `+` and the country's prefix, such as `CH`.

    Raises:
        ValueError: no country assigns such a number.
    """
    try:
        is_typed = len(value) <= MAX_TYPED_LENGTH and _TYPED.fullmatch(value)
        number = phonenumbers.parse(value, region) if is_typed else None
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        example = "+41446681800" if region is None else "+41446681800, or a national number"
        raise ValueError(f"must be a telephone number like {example}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """A telephone number, which may be typed in the national form of one country: `Annotated[str, Phone(region="CH")]`.

    Attributes:
        region: the country's code (ISO 3166), or `None` to require the international form.
    """

    region: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """See pydantic's "Customizing validation with `__get_pydantic_core_schema__`"."""
        return handler.generate_schema(Annotated[str, self._format()])

    def _format(self) -> StringFormat:
        return StringFormat(
            check=lambda value: check_phone_number(value, self.region),
            max_length=MAX_TYPED_LENGTH,
            format="phone",
            examples=("+41446681800",),
        )


PhoneNumber = Annotated[str, Phone()]
"""A telephone number in the international form, as E.164 (at most 15 digits after the `+`)."""
