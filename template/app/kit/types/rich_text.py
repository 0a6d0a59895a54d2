"""HTML from users, sanitised with the library nh3."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

import nh3
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from app.kit.types.base import StringFormat

MAX_TAGS: Final = 2000
"""A limit, because the duration of sanitising grows with the square of the nesting."""

MAX_REOPENED_TAGS: Final = 200_000
"""Formatting tags with attributes, times all tags. A parser opens each of them that was not closed again in every
paragraph that follows (WHATWG HTML, "reconstruct the active formatting elements"). Without attributes, three do."""

_FORMATTING: Final = re.compile(
    r"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/]", re.IGNORECASE | re.ASCII
)

MAX_PASSES: Final = 5
"""Sanitising again can change HTML whose elements were nested in a removed one, such as `<p><button><p>`. Three passes
were enough for all HTML that was tried."""

TAGS: Final = frozenset({
    "a", "b", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "hr", "i", "li", "ol", "p", "pre", "s",
    "strong", "sub", "sup", "u", "ul",
})  # fmt: skip
"""The elements that are kept. Of other elements, only the text is kept; scripts and styles are removed whole."""

_CLEANER: Final = nh3.Cleaner(
    tags=set(TAGS),
    attributes={"a": {"href"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    generic_attribute_prefixes=set(),
)


def sanitize_html(value: str) -> str:
    """Return HTML that is safe to show: only `TAGS`, no attributes, and links to web pages and email addresses.

    The result is canonical: sanitising it again does not change it. The caller limits the length first.

    Raises:
        ValueError: it has more than 2,000 tags, too many formatting tags with attributes, or no canonical form.
    """
    for _ in range(MAX_PASSES):
        _check_tags(value)
        cleaned = _cleaned(value)
        if cleaned == value:
            return cleaned
        value = cleaned
    raise ValueError("must have elements that are nested correctly")


def _check_tags(value: str) -> None:
    tags = value.count("<")
    if tags > MAX_TAGS:
        raise ValueError(f"must not have more than {MAX_TAGS} tags")
    if tags * len(_FORMATTING.findall(value)) > MAX_REOPENED_TAGS:
        raise ValueError("must not have so many formatting tags with attributes; remove the attributes")


def _cleaned(value: str) -> str:
    # Parsers ignore a byte order mark at the start, read a carriage return as a line break, and ignore the first line
    # break in <pre>.
    text = _CLEANER.clean(value).replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("<pre>\n", "<pre>\n\n").strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Html:
    """HTML of a text editor, sanitised: `body: Annotated[str, Html(max_length=20_000)]`.

    Show it without escaping it again. Text that is not HTML belongs in `Line` or `Paragraphs`.

    Attributes:
        max_length: in characters, of the input and of the sanitised HTML, in which `&` becomes `&amp;`.
    """

    max_length: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """See pydantic's "Customizing validation with `__get_pydantic_core_schema__`"."""
        format_ = StringFormat(
            check=sanitize_html,
            min_length=0,
            max_length=self.max_length,
            format="html",
            examples=("<p>Hello <strong>Ada</strong></p>",),
        )
        return handler.generate_schema(Annotated[str, format_])
