"""Tokens of forms."""

import time

import pytest
from pydantic import SecretStr

from app.contact.form_token import CLOCK_SKEW, MAX_AGE, TOKEN_LENGTH, InvalidTokenError, new_form_token, read_form_token

SECRET = SecretStr("s" * 64)
NOW = 1_900_000_000.0


def test_states_when_its_form_was_opened() -> None:
    token = new_form_token(SECRET, now=NOW)
    assert len(token) == TOKEN_LENGTH
    form = read_form_token([SECRET], token, now=NOW + 7)
    assert form.age.total_seconds() == 7
    assert read_form_token([SECRET], new_form_token(SECRET, now=NOW), now=NOW).id != form.id
    assert read_form_token([SECRET], new_form_token(SECRET)).age.total_seconds() < 60
    assert time.time() > 0


def test_cannot_be_changed_anywhere() -> None:
    token = new_form_token(SECRET, now=NOW)
    for position in range(TOKEN_LENGTH):
        for character in set("AQgw_-") - {token[position]}:
            with pytest.raises(InvalidTokenError):
                read_form_token([SECRET], token[:position] + character + token[position + 1 :], now=NOW)


@pytest.mark.parametrize("token", ["", "é" * TOKEN_LENGTH, "=" * TOKEN_LENGTH, "A" * TOKEN_LENGTH, "\0" * TOKEN_LENGTH])
def test_is_not_read_from_anything_else(token: str) -> None:
    with pytest.raises(InvalidTokenError):
        read_form_token([SECRET], token, now=NOW)


def test_is_valid_for_a_day_with_any_of_the_keys() -> None:
    token, lifetime, skew = new_form_token(SECRET, now=NOW), MAX_AGE.total_seconds(), CLOCK_SKEW.total_seconds()
    other = SecretStr("o" * 64)
    for now in (NOW - skew, NOW + lifetime):
        assert read_form_token([other, SECRET], token, now=now)
    for now in (NOW - skew - 1, NOW + lifetime + 1):
        with pytest.raises(InvalidTokenError):
            read_form_token([SECRET], token, now=now)
    with pytest.raises(InvalidTokenError):
        read_form_token([other], token, now=NOW)
