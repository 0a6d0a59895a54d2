"""The handshake: check the origin of the page, and read the expiry of the token."""

import re

import jwt
from starlette.requests import HTTPConnection

from app.core.config.origins import ANY
from app.core.config.settings import Settings
from app.core.http.middleware import LOCAL_ORIGIN
from app.realtime.errors import OriginNotAllowedError


def check_origin(connection: HTTPConnection, settings: Settings) -> None:
    """Check the origin of the page that opens the connection (RFC 6455 §10.2). CORS does not cover WebSockets.

    Clients other than browsers send no origin; their token is enough.

    Raises:
        OriginNotAllowedError: BACKEND_CORS_ORIGINS does not allow the origin.
    """
    origin = connection.headers.get("origin")
    if origin is None or origin == settings.PUBLIC_URL:
        return
    allowed = {each.rstrip("/") for each in settings.BACKEND_CORS_ORIGINS}
    is_developers = settings.is_local and not allowed and re.fullmatch(LOCAL_ORIGIN, origin) is not None
    if not is_developers and origin not in allowed and ANY not in allowed:
        raise OriginNotAllowedError


def expiry_of(token: str) -> float | None:
    """Return the expiry of a verified token as a Unix timestamp, or `None` if it never expires."""
    expires_at = jwt.decode(token, options={"verify_signature": False}).get("exp")
    return float(expires_at) if isinstance(expires_at, int | float) else None
