"""Rules for every type: examples, lengths, canonical forms, and only validation errors for other input."""

import json
import re
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.kit.text import MAX_PADDING
from app.kit.types.currency import check_currency
from app.kit.types.email_address import ascii_email, check_email
from app.kit.types.file_content import detect_type
from app.kit.types.file_name import clean_file_name
from app.kit.types.file_path import check_relative_path
from app.kit.types.ip_addresses import is_public_address
from app.kit.types.localization import check_country, check_locale, check_time_zone
from app.kit.types.media_type import parse_media_type
from app.kit.types.money import Money
from app.kit.types.phone_number import check_phone_number
from app.kit.types.slug import check_slug
from app.kit.types.web_url import check_http_url, check_public_http_url
from tests.kit.types.samples import ALL, PATTERNS, STRINGS

WRONG: list[object] = [
    None, True, 0, -1, 2**70, 1.5, float("nan"), float("inf"), b"", b"\xff", b"ada@example.com", [], {},
    ["a"], {"a": 1}, object(), "", " ", "\0", "a\0b", "\ud800", "a\udfffb", "\u202e",
    "e" + "\u0301\u0316" * 60, "\ufdfa" * 200,     "\u0958" * 200,
]  # fmt: skip
PIECES = [
    "a", "A", "9", "@", ".", "-", "_", "/", "\\", ":", "//", "http://", "https://[", "]", "::1", "127.0.0.1", "xn--",
    "%00", "%", "\0", "\n", "\t", " ", "\u00a0", "\u2028", "\u202e", "\u0301", "\u0316", "\ud800", "\udfff", "\u0130",
    "\U0001f600", "\xdf", "\ufdfa", "\u0663", "+", "+41", "(", ")", ";", "=", '"', "'", ",", "<", ">", "<a href=", "..",
    "<script>", "<!--", "&#", "&lt;", "~", "CON", "COM\xb9", "EUR", "CH", "zh-Hant", "Europe/Zurich", "text/html",
    "charset=utf-8", "\xe4", "\uff45", "\u3002", "@xn--a.", "http:", "javascript:", "0x7f.1", "\u0958", "\u200d",
    "\ufeff", "<pre>\n",
]  # fmt: skip
HUGE = 10_000_000
FUNCTIONS: dict[str, Callable[[str], object]] = {
    function.__name__: function
    for function in (
        check_currency, check_email, ascii_email, clean_file_name, check_relative_path, is_public_address,
        parse_media_type, check_phone_number, check_country, check_locale, check_time_zone, check_slug, check_http_url,
        check_public_http_url,
    )
} | {
    "Money.of": lambda text: Money.of(text, "EUR"),
    "Money.of, currency": lambda text: Money.of(1, text),
}  # fmt: skip
EXAMPLES = [value for adapter in STRINGS.values() for value in adapter.json_schema()["examples"]]


@st.composite
def strings(draw: st.DrawFn) -> str:
    """Return a valid value of one of the types, changed in one place, or a string of pieces and of any characters."""
    start, inserted = draw(st.sampled_from(["", *EXAMPLES])), draw(st.lists(st.sampled_from(PIECES), max_size=6))
    position, cut = draw(st.integers(0, len(start))), draw(st.integers(0, 3))
    other = draw(st.text(st.characters(codec=None), max_size=3))
    return f"{start[:position]}{''.join(inserted)}{other}{start[position + cut :]}"


def outcome(adapter: TypeAdapter[Any], value: object) -> object:
    """Return the validated value, or the error; anything else but a validation error fails the test."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        json.dumps(error.errors(include_input=False, include_context=False, include_url=False))
        return error


@pytest.mark.parametrize("name", ALL)
def test_other_values_raise_validation_errors(name: str) -> None:
    for value in WRONG:
        outcome(ALL[name], value)
        outcome(ALL[name], {"amount": value, "currency": value})


@pytest.mark.parametrize("name", STRINGS)
@given(value=strings())
@example(value="ada@example.com")
def test_any_string_is_accepted_in_its_canonical_form_or_raises_a_validation_error(name: str, value: str) -> None:
    found = outcome(STRINGS[name], value)
    if isinstance(found, str):
        assert STRINGS[name].validate_python(found) == found
        found.encode()


@pytest.mark.parametrize("name", STRINGS)
def test_the_length_is_checked_before_any_other_work(name: str) -> None:
    for piece in ("a", "@", "\u0301\u0316", "<b>", "a.", "1", "/"):
        found = outcome(STRINGS[name], piece * 1_000_000)
        assert isinstance(found, ValidationError)
        assert [error["type"] for error in found.errors(include_input=False)] == ["string_too_long"]


def fastest(call: Callable[[], object]) -> float:
    """Return the shortest duration of five calls, in seconds."""
    return min(timeit.repeat(call, number=1, repeat=5))


@pytest.mark.parametrize("name", STRINGS)
@pytest.mark.parametrize("character", [" ", "\u00a0", "a", "\u732b", "\ud800"], ids=ascii)
def test_a_huge_string_is_refused_without_being_read(name: str, character: str) -> None:
    value = character * HUGE
    # Reading it takes between 0.3 and 15 milliseconds.
    assert fastest(lambda: outcome(STRINGS[name], value)) < 1e-4
    assert isinstance(outcome(STRINGS[name], f"a{value}"), ValidationError)


def test_some_white_space_at_the_ends_is_removed_from_the_longest_text() -> None:
    longest = "a" * STRINGS["Slug"].json_schema()["maxLength"]
    assert STRINGS["Slug"].validate_python(longest + " " * MAX_PADDING) == longest
    assert isinstance(outcome(STRINGS["Slug"], longest + " " * (MAX_PADDING + 1)), ValidationError)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_refuse_a_huge_string_without_reading_it(name: str) -> None:
    def refuse(value: str) -> None:
        with pytest.raises(ValueError, match=r"^.{1,200}$"):
            FUNCTIONS[name](value)

    for huge in ("1" * HUGE, "\u732b" * HUGE):
        assert fastest(partial(refuse, huge)) < 1e-3


def test_only_the_first_bytes_of_a_file_are_read() -> None:
    assert detect_type("image/x-icon", b" " * 600 + b"<html>") == "image/x-icon"
    assert fastest(lambda: detect_type("image/x-icon", b" " * HUGE)) < 1e-2


@pytest.mark.parametrize("name", ALL)
def test_openapi_shows_the_format_and_valid_examples(name: str) -> None:
    schema = ALL[name].json_schema()
    if name in STRINGS:
        assert schema["format"]
        assert schema["maxLength"]
        for value in schema["examples"]:
            assert ALL[name].validate_python(value) == value
            assert name not in PATTERNS or re.fullmatch(schema["pattern"], value)
    else:
        assert schema["description"]


@pytest.mark.parametrize("name", STRINGS)
def test_bytes_are_refused(name: str) -> None:
    for value in STRINGS[name].json_schema()["examples"]:
        assert isinstance(outcome(STRINGS[name], value.encode()), ValidationError)
