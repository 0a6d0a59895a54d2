"""Text that people type."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.kit.text import Line, Paragraphs, SearchText

LINE: TypeAdapter[str] = TypeAdapter(Line)
PARAGRAPHS: TypeAdapter[str] = TypeAdapter(Paragraphs)
SEARCH: TypeAdapter[str] = TypeAdapter(SearchText)


class TestLine:
    @pytest.mark.parametrize(
        "text", ["a", "Zoë O'Néill", "\u0646\u200c\u0647", "\U0001f469\u200d\U0001f680"], ids=ascii
    )
    def test_any_writing_is_kept(self, text: str) -> None:
        assert LINE.validate_python(text) == text

    def test_white_space_around_it_is_taken_off(self) -> None:
        assert LINE.validate_python("\t a b \n") == "a b"

    def test_what_looks_the_same_is_the_same(self) -> None:
        assert LINE.validate_python("Zoe\u0308") == "Zo\xeb"

    @pytest.mark.parametrize("text", ["\u200b", "\u200d \u200d", "\u00ad"], ids=ascii)
    def test_what_shows_nothing_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            LINE.validate_python(text)

    @pytest.mark.parametrize(
        "text",
        ["", "  ", "a\0", "a\nb", "a\rb", "a\tb", "a\x1bb", "a\x85b", "a\u2028b", "a\u202eb", "\ud800"],
        ids=ascii,
    )
    def test_what_is_not_one_line_of_text_is_refused(self, text: str) -> None:
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
    def test_what_nobody_looks_for_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            SEARCH.validate_python(text)
