"""Origins of browser pages (RFC 6454), in the one form in which a browser sends them."""

from typing import Final
from urllib.parse import urlsplit

ANY: Final = "*"
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
HINT: Final = 'must list origins like "https://app.example.com", without a path'


def normal_origin(value: str) -> str:
    """Return an origin as browsers send it: in lower case, without the default port and without a trailing slash.

    Raises:
        ValueError: no browser could ever send this, for example because it has a path or a wildcard.
    """
    if value == ANY:
        return value
    try:
        url = urlsplit(value.removesuffix("/"))
        port = url.port
    except ValueError:
        raise ValueError(HINT) from None
    host = url.hostname or ""
    if "*" in host:
        raise ValueError("cannot have a wildcard in a host; list every origin")
    if not url.scheme or not host or url.path or url.query or url.fragment or "@" in url.netloc:
        raise ValueError(HINT)
    if not host.isascii():
        raise ValueError("must name hosts in their ASCII form, like xn--bcher-kva.example")
    host = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or port == DEFAULT_PORTS.get(url.scheme) else f":{port}"
    return f"{url.scheme}://{host}{suffix}"
