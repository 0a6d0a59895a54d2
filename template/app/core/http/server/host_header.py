"""The header `Host`, by which proxies and applications tell sites apart (RFC 9112 §3.2)."""

import re
from collections.abc import Iterable
from typing import Final

_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::\d{0,5})?")
"""RFC 3986 §3.2.2. It may be empty."""

HOST_REQUIRED: Final = "A request must have exactly one valid Host header."


def has_valid_host(headers: Iterable[tuple[bytes, bytes]], http_version: str) -> bool:
    """Return whether a request has one valid `Host`. HTTP/1.0 does not require one.

    Args:
        headers: with names in lower case.
        http_version: such as `1.1`.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts:
        return http_version == "1.0"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None
