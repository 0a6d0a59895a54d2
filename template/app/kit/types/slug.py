"""Names in URLs."""

import re
from typing import Annotated, Final

from app.kit.types.base import StringFormat

MAX_SLUG_LENGTH: Final = 80
_SLUG: Final = "[a-z0-9]+(?:-[a-z0-9]+)*"
_VALID: Final = re.compile(_SLUG)


def check_slug(value: str) -> str:
    """Return the slug unchanged.

    Raises:
        ValueError: it contains other characters than a to z, 0 to 9 and single hyphens between them, or more than 80.
    """
    if len(value) > MAX_SLUG_LENGTH or not _VALID.fullmatch(value):
        raise ValueError('must be a slug like "my-first-post": a to z, 0 to 9, and single hyphens between them')
    return value


Slug = Annotated[
    str,
    StringFormat(
        check=check_slug,
        max_length=MAX_SLUG_LENGTH,
        format="slug",
        pattern=f"^{_SLUG}$",
        examples=("my-first-post", "report-2026"),
    ),
]
"""A name in a URL: lower-case ASCII letters, digits, and single hyphens between them."""
