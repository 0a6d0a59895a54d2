"""The URLs that Stripe sends users back to: only to this project's own front ends."""

from urllib.parse import urlsplit

from app.core.config.origins import ANY, normal_origin
from app.core.config.settings import Settings
from app.core.errors import BadRequestError

MAX_LENGTH = 2000


class ForeignOriginError(BadRequestError):
    """A return URL leads to another site."""

    code = "RETURN_URL_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("The URL must begin with PUBLIC_URL, or with an origin in BACKEND_CORS_ORIGINS.")


def check_return_url(settings: Settings, url: str) -> str:
    """Return the URL if a browser that follows it stays on an allowed origin.

    Raises:
        ForeignOriginError: its origin is not allowed, or browsers may read it in another way than we do.
    """
    # A backslash and white space are read in different ways; braces belong to Stripe's placeholder only.
    checked = url.replace("{CHECKOUT_SESSION_ID}", "")
    if len(url) > MAX_LENGTH or not checked.isascii() or not checked.isprintable() or set(checked) & set(' \\{}<>"^`|'):
        raise ForeignOriginError
    try:
        parts = urlsplit(checked)
        origin = normal_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        raise ForeignOriginError from None
    if parts.scheme not in {"http", "https"} or origin not in allowed_origins(settings):
        raise ForeignOriginError
    return url


def allowed_origins(settings: Settings) -> frozenset[str]:
    """Return the origins of the front ends, and our own."""
    own = {normal_origin(settings.PUBLIC_URL)} if settings.PUBLIC_URL else set()
    return frozenset(own | {origin for origin in settings.BACKEND_CORS_ORIGINS if origin != ANY})
