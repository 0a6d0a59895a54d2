"""Media types, such as `text/html; charset=utf-8` (RFC 9110 §8.3.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Final

from app.kit.types.base import StringFormat

MAX_MEDIA_TYPE_LENGTH: Final = 255

_NAME: Final = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_ESSENCE: Final = re.compile(rf"{_NAME}/{_NAME}", re.IGNORECASE)
"""RFC 6838 §4.2."""
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TOKEN: Final = re.compile(_WORD)
# Browsers send `video/webm;codecs=vp8,opus` without the quotation marks that the comma requires.
_VALUE: Final = r'"(?P<quoted>(?:[\t !#-\[\]-~]|\\[\t -~])*)"|(?P<plain>[!#-:<-~][ !#-:<-~]*)'
_PARAMETER: Final = re.compile(rf"[ \t]*(?:(?P<name>{_WORD})=(?:{_VALUE}))?[ \t]*(?:;|\Z)")
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class ParsedMediaType:
    """The parts of a media type.

    Attributes:
        essence: type and subtype in lower case, such as `text/html`.
        parameters: values by lower-case names, such as `{"charset": "utf-8"}`.
    """

    essence: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return "".join([self.essence, *(f"; {name}={_quoted(value)}" for name, value in self.parameters.items())])


def parse_media_type(value: str) -> ParsedMediaType:
    """Return the parts of a media type.

    Raises:
        ValueError: it is longer than 255 characters, not a media type, or has a parameter twice.
    """
    if len(value) > MAX_MEDIA_TYPE_LENGTH:
        raise _invalid()
    essence, separator, rest = value.partition(";")
    essence = essence.strip(" \t").lower()
    if not _ESSENCE.fullmatch(essence):
        raise _invalid()
    return ParsedMediaType(essence, MappingProxyType(_parameters(rest) if separator else {}))


def check_media_type(value: str) -> str:
    """Return a media type in its canonical form.

    Raises:
        ValueError: as `parse_media_type`.
    """
    return str(parse_media_type(value))


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        name = match["name"] if match else None
        if match is None or (name or "").lower() in found:
            raise _invalid()
        if name is not None:
            quoted = match["quoted"]
            found[name.lower()] = match["plain"].rstrip(" ") if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = match.end()
    return found


def _quoted(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _invalid() -> ValueError:
    return ValueError('must be a media type like "image/png" or "text/html; charset=utf-8"')


MediaType = Annotated[
    str,
    StringFormat(
        check=check_media_type,
        max_length=MAX_MEDIA_TYPE_LENGTH,
        format="media-type",
        examples=("image/png", "text/html; charset=utf-8"),
    ),
]
"""A media type, with its parameters. `parse_media_type` returns the parts."""
