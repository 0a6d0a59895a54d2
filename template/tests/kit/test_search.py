"""Patterns for LIKE."""

import pytest

from app.kit.search import like_pattern


class TestLikePattern:
    @pytest.mark.parametrize(
        ("text", "pattern"), [("", "%%"), ("a b", "%a b%"), ("100%", r"%100\%%"), ("a_b", r"%a\_b%"), ("\\", r"%\\%")]
    )
    def test_escapes_wildcards(self, text: str, pattern: str) -> None:
        assert like_pattern(text) == pattern
