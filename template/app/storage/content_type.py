"""Content types of stored objects: media types without parameters."""

from typing import Annotated, Final

from app.kit.types.base import StringFormat
from app.kit.types.media_type import MAX_MEDIA_TYPE_LENGTH, parse_media_type

MAX_TYPE_LENGTH: Final = 100


def check_content_type(value: str) -> str:
    """Return a media type unchanged.

    Raises:
        ValueError: it is not lower case, has parameters, is too long, or isn't a media type.
    """
    if without_parameters(value) != value:
        raise ValueError('A content type looks like "image/png": lower case, without parameters.')
    return value


def without_parameters(value: str) -> str:
    """Return a media type in lower case, without its parameters.

    Raises:
        ValueError: it isn't a media type, or is longer than 100 characters.
    """
    essence = parse_media_type(value).essence
    if len(essence) > MAX_TYPE_LENGTH:
        raise ValueError(f"A content type has at most {MAX_TYPE_LENGTH} characters.")
    return essence


ContentType = Annotated[
    str,
    StringFormat(
        check=without_parameters, max_length=MAX_MEDIA_TYPE_LENGTH, format="media-type", examples=("image/png",)
    ),
]
"""A media type whose parameters are dropped."""
