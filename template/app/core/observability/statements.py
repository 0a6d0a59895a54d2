"""SQL statements for logs and telemetry: without values, and short."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

MAX_TEXT: Final = 2_000
MAX_ANALYSED: Final = 20_000
"""Characters of a statement that are looked at: statements of many rows grow without a limit."""
COMMENT_DEPTH: Final = 3


def _comment(depth: int) -> str:
    """Return the pattern of a comment, in which PostgreSQL allows others. What is nested deeper ends with the text."""
    inner = f"|{_comment(depth - 1)}" if depth else ""
    return rf"/\*(?:(?:[^*/]|\*(?!/)|/(?!\*){inner})*+(?:\*/|$)|.*)"


_VALUES: Final = re.compile(
    r"""(?P<identifier>"(?:[^"]|"")*")|[eE]'(?:[^'\\]|''|\\.)*(?:'|$)|'(?:[^']|'')*(?:'|$)"""
    r"""|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?:(?P=tag)|$)|(?P<name>[A-Za-z_$:][\w$]*)|\d[\w.]*|--[^\n]*|"""
    + _comment(COMMENT_DEPTH),
    re.DOTALL,
)
_LISTS: Final = re.compile(r"\((?:\s*(?:\?|\$\d+|:\w+)(?:::\w+)?\s*,){2,}\s*(?:\?|\$\d+|:\w+)(?:::\w+)?\s*\)")
_TARGET: Final = re.compile(r"""\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:ONLY\s+)?((?:"?\w+"?\.)?"?\w+"?)""", re.IGNORECASE)
_OPERATION: Final = re.compile(r"\s*([A-Za-z]+)")


class Statement(NamedTuple):
    """A statement without values.

    Attributes:
        operation: its first word, such as `SELECT`.
        summary: the operation and the first table, such as `SELECT projects`.
        text: the SQL with `?` in place of literals, at most `MAX_TEXT` characters.
    """

    operation: str
    summary: str
    text: str


def describe(sql: str) -> Statement:
    """Return a statement without literals, comments, and the length of its lists."""
    # The cache keeps no more of a statement than what is looked at: bulk statements have megabytes.
    return _describe(sql[:MAX_ANALYSED])


@lru_cache(maxsize=1024)
def _describe(sql: str) -> Statement:
    text = _VALUES.sub(_without_value, sql)
    text = " ".join(_LISTS.sub("(?, …)", text).split())[:MAX_TEXT]
    first = _OPERATION.match(text)
    operation = first[1].upper() if first else "SQL"
    target = _TARGET.search(text)
    table = target[1].replace('"', "") if target else ""
    return Statement(operation, f"{operation} {table}".strip(), text)


def _without_value(match: re.Match[str]) -> str:
    if match["identifier"] or match["name"]:
        return match[0]
    return " " if match[0].startswith(("--", "/*")) else "?"
