"""Countries, time zones and languages. The package tzdata contains the lists of countries and time zones."""

import re
from importlib.resources import files
from typing import Annotated, Final

from app.kit.types.base import StringFormat


def _lines(folder: str, name: str) -> list[str]:
    text = files(folder).joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


COUNTRY_LENGTH: Final = 2
COUNTRIES: Final = frozenset(line.partition("\t")[0] for line in _lines("tzdata.zoneinfo", "iso3166.tab"))
"""The two-letter codes of all countries (ISO 3166-1 alpha-2)."""

TIME_ZONES: Final = frozenset(_lines("tzdata", "zones")) - {"Factory"}
"""The names of all time zones of the IANA database, older names included."""

MAX_TIME_ZONE_LENGTH: Final = 40
MAX_LOCALE_LENGTH: Final = 11

_LOCALE: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?:[-_](?P<script>[a-z]{4}))?(?:[-_](?P<region>[a-z]{2}|[0-9]{3}))?", re.IGNORECASE
)


def check_country(value: str) -> str:
    """Return a country's code in upper case.

    Raises:
        ValueError: no country has this code.
    """
    code = value.upper() if len(value) == COUNTRY_LENGTH and value.isascii() else ""
    if code not in COUNTRIES:
        raise ValueError('must be the two-letter code of a country, like "CH" (ISO 3166)')
    return code


def check_time_zone(value: str) -> str:
    """Return the name unchanged. `zoneinfo.ZoneInfo(name)` opens the time zone.

    Raises:
        ValueError: there is no such time zone.
    """
    if len(value) > MAX_TIME_ZONE_LENGTH or value not in TIME_ZONES:
        raise ValueError('must be the name of a time zone, like "Europe/Zurich" (IANA)')
    return value


def check_locale(value: str) -> str:
    """Return a language tag (BCP 47) in its usual case, such as `de`, `de-CH` or `zh-Hant-TW`.

    An underscore is accepted in place of a hyphen. The region must exist; the language is not looked up, because the
    registry has more than 8,000.

    Raises:
        ValueError: it is not a language, with a script and a region at most.
    """
    found = _LOCALE.fullmatch(value) if len(value) <= MAX_LOCALE_LENGTH and value.isascii() else None
    region = (found["region"] or "").upper() if found else ""
    if found is None or (region and not region.isdecimal() and region not in COUNTRIES):
        raise ValueError('must be a language tag like "de", "de-CH" or "zh-Hant-TW" (BCP 47)')
    parts = (found["language"].lower(), (found["script"] or "").title(), region)
    return "-".join(part for part in parts if part)


CountryCode = Annotated[
    str,
    StringFormat(
        check=check_country,
        min_length=COUNTRY_LENGTH,
        max_length=COUNTRY_LENGTH,
        format="country-code",
        pattern="^[A-Za-z]{2}$",
        examples=("CH", "JP"),
    ),
]
"""A country: ISO 3166-1 alpha-2, in upper case."""

TimeZone = Annotated[
    str,
    StringFormat(
        check=check_time_zone,
        max_length=MAX_TIME_ZONE_LENGTH,
        format="time-zone",
        examples=("Europe/Zurich", "America/New_York"),
    ),
]
"""A time zone: a name of the IANA database."""

Locale = Annotated[
    str,
    StringFormat(
        check=check_locale,
        min_length=2,
        max_length=MAX_LOCALE_LENGTH,
        format="language-tag",
        pattern="^[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?$",
        examples=("de-CH", "en", "zh-Hant-TW"),
    ),
]
"""A language, and optionally a script and a region: BCP 47."""
