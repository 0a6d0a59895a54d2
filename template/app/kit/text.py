"""Types for text that people type: `name: Annotated[str, Line(max_length=200)]`."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_COMBINING_MARKS: Final = 30
"""Combining marks in a row, as in Unicode's Stream-Safe Text Format (UAX #15 §13). No language needs more than a few,
and the time that normalization takes grows with the square of their number."""

MAX_PADDING: Final = 1000
"""Characters that a text may have beyond its maximum length: white space at its ends, which is removed."""

# PostgreSQL cannot store NUL; the others are not text. The last two ranges reverse the direction of what follows.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_EXCEPT_LAYOUT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def normalized(value: str) -> str:
    """Return the text in Unicode's NFC, in which characters that look the same are the same.

    The caller limits the length first.

    Raises:
        ValueError: more than 30 combining marks follow each other.
    """
    if value.isascii():
        return value
    marks = 0
    for character in value:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MAX_COMBINING_MARKS:
            raise ValueError(f"must not have more than {MAX_COMBINING_MARKS} combining marks in a row")
    return unicodedata.normalize("NFC", value)


def too_long(max_length: int) -> PydanticCustomError:
    """Return pydantic's error for a string that is too long."""
    return PydanticCustomError(
        "string_too_long", "String should have at most {max_length} characters", {"max_length": max_length}
    )


@dataclass(frozen=True, slots=True)
class LengthBound:
    """A check before all others: refuses a string that is far too long without reading it.

    Even removing white space from 10 MB takes milliseconds.
    """

    max_length: int

    def __call__(self, value: object) -> object:
        """Return the value, unless it is a string of more than `max_length + MAX_PADDING` characters."""
        if isinstance(value, str) and len(value) > self.max_length + MAX_PADDING:
            raise too_long(self.max_length)
        return value


def bounded_string(*, min_length: int, max_length: int, strict: bool = False) -> CoreSchema:
    """Return the schema of a string without the white space at its ends, behind a `LengthBound`."""
    text = core_schema.str_schema(strict=strict, strip_whitespace=True, min_length=min_length, max_length=max_length)
    return core_schema.no_info_before_validator_function(LengthBound(max_length), text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """Base of the types of text. The length is checked before anything else.

    Attributes:
        max_length: in characters, without the white space at both ends; before and after normalization.
    """

    max_length: int
    min_length: ClassVar[int] = 0
    checks: ClassVar[tuple[Callable[[str], None], ...]] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """See pydantic's "Customizing validation with `__get_pydantic_core_schema__`"."""
        text = bounded_string(min_length=self.min_length, max_length=self.max_length)
        return core_schema.no_info_after_validator_function(self._checked, text)

    def _checked(self, value: str) -> str:
        for check in self.checks:
            check(value)
        result = normalized(value)
        if len(result) > self.max_length:
            # Some characters have a longer NFC than they had before.
            raise too_long(self.max_length)
        return result


def _on_one_line(value: str) -> None:
    if _CONTROL.search(value):
        raise ValueError("must be on one line, without control characters")


def _visible(value: str) -> None:
    if all(unicodedata.category(character)[0] in "CZ" for character in value):
        raise ValueError("must contain a visible character")


def _without_control(value: str) -> None:
    if _CONTROL_EXCEPT_LAYOUT.search(value):
        raise ValueError("must not contain control characters")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line(Text):
    """One line with a visible character. White space at both ends is removed."""

    min_length: ClassVar[int] = 1
    checks: ClassVar = (_on_one_line, _visible)


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraphs(Text):
    """Text of any number of lines, possibly empty. White space at both ends is removed."""

    checks: ClassVar = (_without_control,)


@dataclass(frozen=True, kw_only=True, slots=True)
class _OptionalLine(Text):
    checks: ClassVar = (_on_one_line,)


SearchText = Annotated[str, _OptionalLine(max_length=100)]
"""A search term. An empty one matches everything."""
