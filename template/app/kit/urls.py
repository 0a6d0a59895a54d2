"""URLs of servers, as settings hold them."""

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

HTTP_SCHEMES = frozenset({"http", "https"})


def check_server_url(value: str) -> str:
    """Return a server's base URL without trailing slashes; paths are appended to it.

    Raises:
        ValueError: it is not an absolute `http` or `https` URL, or it has credentials, a query or a fragment.
    """
    _split(value, 'must be a URL like "https://api.example.com/v1"')
    return value.rstrip("/")


def check_origin(value: str) -> str:
    """Return the scheme, host and port of a server, in lower case and without trailing slashes.

    Raises:
        ValueError: it is not an absolute `http` or `https` URL, or it has credentials, a path, a query or a fragment.
    """
    hint = 'must be a URL like "https://api.example.com"'
    parts = _split(value, hint)
    if parts.path.strip("/"):
        raise ValueError(f"{hint}, without a path")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _split(value: str, hint: str) -> SplitResult:
    # `urlsplit` silently removes line breaks and tabs.
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError(hint)
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it validates it
    except ValueError:
        raise ValueError(hint) from None
    if parts.scheme not in HTTP_SCHEMES or not parts.hostname:
        raise ValueError(hint)
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise ValueError(f"{hint}, without credentials, a query or a fragment")
    return parts


def _optional(value: str) -> str:
    return value and check_server_url(value)


ServerUrl = Annotated[str, AfterValidator(check_server_url)]
"""A server's base URL, as a setting."""

OptionalServerUrl = Annotated[str, AfterValidator(_optional)]
"""A server's base URL, or an empty string."""
