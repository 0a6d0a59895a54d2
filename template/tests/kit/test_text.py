"""Text that people type."""

from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from app.kit.text import MAX_COMBINING_MARKS, Line, Paragraphs, SearchText, normalized

LINE: TypeAdapter[str] = TypeAdapter(Annotated[str, Line(max_length=100)])
PARAGRAPHS: TypeAdapter[str] = TypeAdapter(Annotated[str, Paragraphs(max_length=100)])
SEARCH: TypeAdapter[str] = TypeAdapter(SearchText)


class TestLine:
    @pytest.mark.parametrize(
        "text", ["a", "Zoë O'Néill", "\u0646\u200c\u0647", "\U0001f469\u200d\U0001f680"], ids=ascii
    )
    def test_every_script_is_accepted(self, text: str) -> None:
        assert LINE.validate_python(text) == text

    def test_surrounding_white_space_is_removed(self) -> None:
        assert LINE.validate_python("\t a b \n") == "a b"

    def test_equivalent_texts_are_normalized_to_the_same(self) -> None:
        assert LINE.validate_python("Zoe\u0308") == "Zo\xeb"

    @pytest.mark.parametrize("text", ["\u200b", "\u200d \u200d", "\u00ad"], ids=ascii)
    def test_invisible_text_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            LINE.validate_python(text)

    @pytest.mark.parametrize(
        "text",
        ["", "  ", "a\0", "a\nb", "a\rb", "a\tb", "a\x1bb", "a\x85b", "a\u2028b", "a\u202eb", "\ud800"],
        ids=ascii,
    )
    def test_other_text_than_one_line_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            LINE.validate_python(text)


class TestParagraphs:
    @pytest.mark.parametrize("text", ["", "one\ntwo\r\n\tthree"], ids=ascii)
    def test_lines_and_tabs_are_kept(self, text: str) -> None:
        assert PARAGRAPHS.validate_python(text) == text

    @pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "a\x7fb", "\udfff"], ids=ascii)
    def test_control_characters_are_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            PARAGRAPHS.validate_python(text)


class TestSearchText:
    @pytest.mark.parametrize("text", ["", " ", "100%"], ids=ascii)
    def test_may_be_empty(self, text: str) -> None:
        assert SEARCH.validate_python(text) == text.strip()

    @pytest.mark.parametrize("text", ["x" * 101, "a\0", "a\nb"], ids=ascii)
    def test_invalid_search_text_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            SEARCH.validate_python(text)


class TestLength:
    @pytest.mark.parametrize("adapter", [LINE, PARAGRAPHS, SEARCH], ids=["line", "paragraphs", "search"])
    def test_is_checked_before_the_text_is_normalized(self, adapter: TypeAdapter[str]) -> None:
        # Normalizing this takes seconds; the first error alone is reported.
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python("e" + "\u0301\u0316" * 64_000)

        assert [error["type"] for error in caught.value.errors()] == ["string_too_long"]

    def test_is_counted_without_surrounding_white_space(self) -> None:
        assert LINE.validate_python(f"  {'x' * 100}  ") == "x" * 100

    def test_is_checked_again_after_normalization(self) -> None:
        assert LINE.validate_python("\u0958" * 50) == "\u0915\u093c" * 50
        with pytest.raises(ValidationError, match="at most 100 characters"):
            LINE.validate_python("\u0958" * 51)

    def test_is_part_of_the_json_schema(self) -> None:
        assert LINE.json_schema() == {"type": "string", "minLength": 1, "maxLength": 100}


class TestNormalized:
    def test_refuses_more_combining_marks_than_any_language_has(self) -> None:
        assert normalized("e" + "\u0301" * MAX_COMBINING_MARKS)
        with pytest.raises(ValueError, match="combining marks"):
            normalized("e" + "\u0301\u0316" * MAX_COMBINING_MARKS)
