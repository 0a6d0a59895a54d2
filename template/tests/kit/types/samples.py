"""All types, for the tests that hold for each of them."""

from typing import Annotated, Any, Final

from pydantic import TypeAdapter, ValidationError

from app.kit.types.currency import CurrencyCode
from app.kit.types.email_address import Email
from app.kit.types.file_name import FileName
from app.kit.types.file_path import RelativePath
from app.kit.types.localization import CountryCode, Locale, TimeZone
from app.kit.types.media_type import MediaType
from app.kit.types.money import Amount, Money
from app.kit.types.phone_number import Phone, PhoneNumber
from app.kit.types.rich_text import Html
from app.kit.types.slug import Slug
from app.kit.types.web_url import HttpUrl, PublicHttpUrl

STRINGS: Final[dict[str, TypeAdapter[str]]] = {
    "CountryCode": TypeAdapter(CountryCode),
    "CurrencyCode": TypeAdapter(CurrencyCode),
    "Email": TypeAdapter(Email),
    "FileName": TypeAdapter(FileName),
    "Html": TypeAdapter(Annotated[str, Html(max_length=20_000)]),
    "HttpUrl": TypeAdapter(HttpUrl),
    "Locale": TypeAdapter(Locale),
    "MediaType": TypeAdapter(MediaType),
    "Phone": TypeAdapter(Annotated[str, Phone(region="CH")]),
    "PhoneNumber": TypeAdapter(PhoneNumber),
    "PublicHttpUrl": TypeAdapter(PublicHttpUrl),
    "RelativePath": TypeAdapter(RelativePath),
    "Slug": TypeAdapter(Slug),
    "TimeZone": TypeAdapter(TimeZone),
}
ALL: Final[dict[str, TypeAdapter[Any]]] = {
    **STRINGS,
    "Amount": TypeAdapter(Amount),
    "Money": TypeAdapter(Money),
}


PATTERNS: Final = {"CountryCode", "CurrencyCode", "Locale", "Slug"}
"""The types whose schema has a regular expression."""


def refuses(adapter: TypeAdapter[Any], value: object) -> bool:
    """Return whether a type refuses a value with a validation error."""
    try:
        adapter.validate_python(value)
    except ValidationError:
        return True
    return False
