"""API keys."""

import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.crypto.api_keys import ApiKeyFormat
from app.kit.crypto.tokens import token_digest

LIVE = ApiKeyFormat("acme_live")


class TestGenerate:
    def test_shape(self) -> None:
        made = LIVE.generate()

        key = made.key.get_secret_value()
        assert re.fullmatch(r"acme_live_[0-9A-Za-z]{38}", key)
        assert made.hint == f"acme_live_…{key[-10:-6]}"
        assert made.digest == token_digest(key)

    def test_no_representation_shows_the_key(self) -> None:
        made = LIVE.generate()

        assert made.key.get_secret_value() not in repr(made)

    def test_keys_differ(self) -> None:
        assert len({LIVE.generate().digest for _ in range(100)}) == 100

    @pytest.mark.parametrize("prefix", ["", "A", "1a", "a__b", "a_", "_a", "a-b", "ä", "a" * 33])
    def test_other_prefixes_are_refused(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="prefix of API keys"):
            ApiKeyFormat(prefix)


class TestVerify:
    def test_the_right_key(self) -> None:
        made = LIVE.generate()

        assert LIVE.digest(made.key.get_secret_value()) == made.digest
        assert LIVE.matches(made.key.get_secret_value(), made.digest)

    def test_the_digests_are_compared_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made, compared = LIVE.generate(), list[bytes]()

        def compare(one: bytes, other: bytes) -> bool:
            compared.extend((one, other))
            return one == other

        monkeypatch.setattr(hmac, "compare_digest", compare)
        assert LIVE.matches(made.key.get_secret_value(), made.digest)
        assert compared == [made.digest.encode()] * 2

    def test_a_known_key_stays_valid(self) -> None:
        # The checksum must not change: keys are in the hands of users.
        assert LIVE.digest("acme_live_0123456789ABCDEFGHIJabcdefghij011x7xLg") is not None

    def test_another_key_or_format(self) -> None:
        one, other = LIVE.generate(), LIVE.generate()

        assert not LIVE.matches(one.key.get_secret_value(), other.digest)
        assert ApiKeyFormat("acme_test").digest(one.key.get_secret_value()) is None
        assert ApiKeyFormat("acme").digest(one.key.get_secret_value()) is None

    @given(st.integers(0, 37), st.characters())
    def test_one_other_character_fails_the_checksum(self, position: int, character: str) -> None:
        key = LIVE.generate().key.get_secret_value()
        index = len("acme_live_") + position
        changed = key[:index] + character + key[index + 1 :]

        assert (LIVE.digest(changed) is None) is (changed != key)

    @given(st.text())
    def test_arbitrary_text_is_not_a_key(self, text: str) -> None:
        assert LIVE.digest(text) is None
        assert LIVE.digest(f"acme_live_{text}") is None

    def test_long_texts_are_refused_at_once(self) -> None:
        assert LIVE.digest("acme_live_" + "a" * 10_000_000) is None
