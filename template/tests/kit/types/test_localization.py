"""Countries, time zones, languages and currencies."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.types.currency import MINOR_DIGITS
from app.kit.types.localization import COUNTRIES, TIME_ZONES
from tests.kit.types.samples import STRINGS, refuses


@given(st.sampled_from(sorted(TIME_ZONES)))
def test_every_time_zone_can_be_opened(name: str) -> None:
    assert STRINGS["TimeZone"].validate_python(name) == ZoneInfo(name).key


@pytest.mark.parametrize(
    "value", ["europe/zurich", "../etc/passwd", "/etc/localtime", "UTC+1", "Factory", "posixrules"]
)
def test_other_time_zones_are_refused(value: str) -> None:
    assert refuses(STRINGS["TimeZone"], value)


def test_countries_are_those_of_iso_3166() -> None:
    assert len(COUNTRIES) > 240
    assert STRINGS["CountryCode"].validate_python("ch") == "CH"
    assert all(refuses(STRINGS["CountryCode"], value) for value in ("XX", "UK", "CHE", "C", "\u0131s", "\xdf"))


def test_currencies_are_those_of_iso_4217() -> None:
    assert (MINOR_DIGITS["EUR"], MINOR_DIGITS["JPY"], MINOR_DIGITS["KWD"]) == (2, 0, 3)
    assert STRINGS["CurrencyCode"].validate_python("eur") == "EUR"
    assert all(refuses(STRINGS["CurrencyCode"], value) for value in ("XXX", "XAU", "XTS", "EURO", "AAA", "u\u017fd"))


@pytest.mark.parametrize(
    ("typed", "tag"),
    [("de", "de"), ("DE_ch", "de-CH"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("haw-US", "haw-US")],
)
def test_a_language_tag_is_kept_in_its_usual_case(typed: str, tag: str) -> None:
    assert STRINGS["Locale"].validate_python(typed) == tag


@pytest.mark.parametrize(
    "value", ["d", "german", "de-XX", "de--CH", "de-CH-", "de-CH-1996", "../de", "d\u0131", "en_US.UTF-8"]
)
def test_other_language_tags_are_refused(value: str) -> None:
    assert refuses(STRINGS["Locale"], value)
