"""Reasons that are kept."""

import pytest

from app.core.observability.error_summary import MAX_REASON, one_line
from app.core.observability.redaction import safe_traceback

LONG = 200_000


class MuteError(Exception):
    """Cannot tell what it is about."""

    def __str__(self) -> str:
        """See `Exception`."""
        raise LookupError


class TestOneLine:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (LookupError("nothing at me@example.com\nmore"), "LookupError: nothing at [email]"),
            (LookupError(f"{'a' * 70}@example.com"), f"LookupError: {'a' * 6}[email]"),
            (ValueError("half \ud800, nul \0."), "ValueError: half ?, nul ."),
            (ValueError(), "ValueError"),
            (MuteError(), "MuteError"),
        ],
        ids=ascii,
    )
    def test_can_be_kept(self, error: Exception, expected: str) -> None:
        assert one_line(error) == expected

    @pytest.mark.parametrize("text", ["a" * LONG, "a." * LONG, ("x" * 60 + "@") * (LONG // 60), "x@" + "a" * LONG])
    def test_of_a_long_text_takes_no_time(self, text: str) -> None:
        # With an expression that goes back over what it has read, this ends tomorrow.
        assert len(one_line(ValueError(text))) == MAX_REASON

    def test_of_many_spaces_takes_no_time_either(self) -> None:
        error = ValueError(" " * LONG)
        assert safe_traceback((ValueError, error, None)).endswith("ValueError: ")
