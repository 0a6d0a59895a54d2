"""URLs of web pages and web services."""

import re
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Final

from publicsuffixlist import PublicSuffixList
from pydantic_core import Url

from app.kit.types.base import StringFormat
from app.kit.types.ip_addresses import is_public_address

MAX_URL_LENGTH: Final = 2000
MAX_HOST_LENGTH: Final = 253
MAX_LABEL_LENGTH: Final = 63
"""The maximum length of each part of a host name (RFC 1035 §2.3.4)."""

# Parsers disagree on white space, control characters and backslashes, so none of them may be in a URL.
_START: Final = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)
_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
# The parser accepts every other ASCII character in a name, such as those of `$(id).com`. Names with `_` exist.
_NAME: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?")
_PRIVATE_SUFFIXES: Final = (
    ".arpa", ".corp", ".home", ".internal", ".intranet", ".invalid", ".lan", ".local", ".localdomain", ".localhost",
    ".onion", ".private", ".test",
)  # fmt: skip


def check_http_url(value: str) -> str:
    """Return an absolute `http` or `https` URL in its ASCII form: scheme and host in lower case, the path encoded.

    Raises:
        ValueError: it is not an absolute `http` or `https` URL, it contains credentials, or it is longer than 2,000
            characters.
    """
    return str(_parsed(value))


def check_public_http_url(value: str) -> str:
    """Return a URL like `check_http_url`, unless its host is private.

    These hosts are private: IP addresses that are not on the public internet, in any notation; names that are reserved
    for local networks; and names without a public top-level domain, such as `db` and `db.default`. A public name can
    still resolve to a private address: before a request is sent, check that address too (`is_public_address`).

    Raises:
        ValueError: it is not a URL, it contains credentials, or its host is private.
    """
    url = _parsed(value)
    if _is_private(url.host or ""):
        raise ValueError("must be a URL on the public internet")
    return str(url)


def _parsed(value: str) -> Url:
    hint = 'must be a URL like "https://example.com/page"'
    start = _START.match(value) if len(value) <= MAX_URL_LENGTH else None
    if start is None or _AMBIGUOUS.search(value):
        raise ValueError(hint)
    if "@" in start[1]:
        raise ValueError(f"{hint}, without credentials")
    try:
        url = Url(value)
    except ValueError:
        raise ValueError(hint) from None
    host = url.host or ""
    if url.port == 0:
        raise ValueError(hint)
    if len(host) > MAX_HOST_LENGTH or max(map(len, host.split("."))) > MAX_LABEL_LENGTH:
        raise ValueError(hint)
    # In brackets is an IPv6 address, which the parser has checked.
    if not host.startswith("[") and not _NAME.fullmatch(host):
        raise ValueError(hint)
    return url


def _is_private(host: str) -> bool:
    name = host.strip("[]").rstrip(".")
    try:
        address = ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE_SUFFIXES) or not _is_public_domain(name.rpartition(".")[2])
    return not is_public_address(address)


def _is_public_domain(label: str) -> bool:
    """Return whether a top-level domain exists, by the list in the package publicsuffixlist. No query is made."""
    return _suffixes().publicsuffix(label) is not None


@cache
def _suffixes() -> PublicSuffixList:
    # Reading the list takes 0.1 seconds: the first URL does it.
    return PublicSuffixList(only_icann=True, accept_unknown=False)


HttpUrl = Annotated[
    str,
    StringFormat(
        check=check_http_url,
        max_length=MAX_URL_LENGTH,
        format="uri",
        examples=("https://example.com/page?sort=name",),
    ),
]
"""An absolute `http` or `https` URL without credentials."""

PublicHttpUrl = Annotated[
    str,
    StringFormat(
        check=check_public_http_url,
        max_length=MAX_URL_LENGTH,
        format="uri",
        examples=("https://hooks.example.com/orders",),
    ),
]
"""An `HttpUrl` whose host is neither private nor local."""
