"""Text that people type, as types for a schema: `name: Annotated[Line, Field(max_length=200)]`."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

# PostgreSQL keeps no NUL, and nobody means to type the others. The last two ranges turn the text around them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _composed(value: str) -> str:
    """The one form of what looks the same (Unicode's NFC), so that a search finds it whoever has typed it."""
    return unicodedata.normalize("NFC", value)


def _visible(value: str) -> str:
    if all(unicodedata.category(character)[0] in "CZ" for character in value):
        raise ValueError("must show something")
    return value


def _on_one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must be on one line, without control characters")
    return value


def _without_control(value: str) -> str:
    if _CONTROL_BUT_LAYOUT.search(value):
        raise ValueError("must have no control characters")
    return value


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    AfterValidator(_on_one_line),
    AfterValidator(_visible),
    AfterValidator(_composed),
]
"""One line with something on it; white space at both ends is taken off."""

Paragraphs = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(_without_control), AfterValidator(_composed)
]
"""Text of any number of lines, which may be empty; white space at both ends is taken off."""

SearchText = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    AfterValidator(_on_one_line),
    AfterValidator(_composed),
    Field(max_length=100),
]
"""What somebody looks for; empty means everything."""
