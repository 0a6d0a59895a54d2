"""Random tokens and codes, and the comparison of secrets."""

import hashlib
import re
import timeit
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.crypto.comparison import equal_secrets
from app.kit.crypto.tokens import random_code, random_token, token_digest


class TestTokens:
    def test_are_long_and_different(self) -> None:
        tokens = {random_token() for _ in range(100)}

        assert len(tokens) == 100
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)

    def test_short_ones_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 16 random bytes"):
            random_token(15)

    def test_the_digest_is_sha256(self) -> None:
        assert token_digest("abc") == hashlib.sha256(b"abc").hexdigest()


class TestCodes:
    @pytest.mark.parametrize("digits", [6, 8, 18])
    def test_have_all_digits(self, digits: int) -> None:
        assert all(re.fullmatch(rf"[0-9]{{{digits}}}", random_code(digits)) for _ in range(50))

    @pytest.mark.parametrize("digits", [0, 5, 19, -1])
    def test_other_lengths_are_refused(self, digits: int) -> None:
        with pytest.raises(ValueError, match="6 to 18 digits"):
            random_code(digits)


class TestComparison:
    @given(st.text(), st.text())
    def test_is_that_of_strings(self, one: str, other: str) -> None:
        assert equal_secrets(one, one)
        assert equal_secrets(one, other) is (one == other)
        assert equal_secrets(one, other.encode("utf-8", "surrogatepass")) is (one == other)

    def test_takes_as_long_whatever_the_first_wrong_character_is(self) -> None:
        secret = b"a" * 4_000_000
        wrong = (b"b" + secret[1:], secret[:-1] + b"b")

        early, late = (min(timeit.repeat(partial(equal_secrets, given, secret), number=1, repeat=5)) for given in wrong)

        assert early > late / 3

    def test_lone_surrogates_are_a_wrong_secret(self) -> None:
        assert not equal_secrets("\ud800", "abc")
