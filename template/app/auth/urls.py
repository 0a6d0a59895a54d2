"""Setting types for URLs of identity providers."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationInfo

from app.core.config.settings import Environment


def _secure(value: str | None, info: ValidationInfo) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise ValueError("is not a URL like https://auth.example.com") from None
    local = info.data.get("ENVIRONMENT") is Environment.LOCAL
    if parts.scheme not in ({"https", "http"} if local else {"https"}) or not parts.hostname:
        raise ValueError("must start with https:// and a host")
    if parts.username or parts.password or parts.fragment or not value.isprintable() or " " in value:
        raise ValueError("must be a URL without user name, password, fragment or spaces")
    return value


def _base(value: str | None) -> str | None:
    if value is None:
        return None
    if urlsplit(value).query:
        raise ValueError("must be a URL without a query")
    return value.rstrip("/")


SecureUrl = Annotated[str | None, AfterValidator(_secure)]
"""An https URL (also http in local), kept as written."""

BaseUrl = Annotated[str | None, AfterValidator(_secure), AfterValidator(_base)]
"""A `SecureUrl` to which paths are appended."""
