"""Telephone numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.types.samples import STRINGS, refuses

INTERNATIONAL, SWISS = STRINGS["PhoneNumber"], STRINGS["Phone"]


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+41446681800", "+41446681800"),
        (" +41 (0)44 668-18-00 ", "+41446681800"),
        ("+41\u00a044\u2011668\u201118\u201100", "+41446681800"),
        ("+1 (650) 253-0000", "+16502530000"),
        ("+\u0664\u0661\u0664\u0664\u0666\u0666\u0668\u0661\u0668\u0660\u0660", "+41446681800"),
    ],
    ids=ascii,
)
def test_is_kept_as_e164(typed: str, number: str) -> None:
    assert INTERNATIONAL.validate_python(typed) == number


@pytest.mark.parametrize(
    "value",
    ["044 668 18 00", "+41", "+999 123456", "+41 44 668 18 000", "+1 800 FLOWERS", "tel:+41446681800",
     "+41446681800;ext=5", "+41446681800x5", "+", "()", "\u0661"],
    ids=ascii,
)  # fmt: skip
def test_refuses_other_notations_and_numbers_that_do_not_exist(value: str) -> None:
    assert refuses(INTERNATIONAL, value)


def test_a_region_allows_national_numbers() -> None:
    assert SWISS.validate_python("044 668 18 00") == "+41446681800"
    assert SWISS.validate_python("+16502530000") == "+16502530000"


@given(st.integers(2_000_000, 2_999_999))
def test_punctuation_changes_nothing(digits: int) -> None:
    text = f"{digits}"
    plain, typed = f"+1650{text}", f"+1 (650) {text[:3]}-{text[3:]}"
    if not refuses(INTERNATIONAL, plain):
        assert INTERNATIONAL.validate_python(typed) == plain
