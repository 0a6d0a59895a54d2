"""The address of the client that sent a request, behind a known number of trusted proxies."""

from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address

import structlog
from starlette.requests import HTTPConnection

logger = structlog.stdlib.get_logger(__name__)

UNKNOWN = "unknown"
MAX_ADDRESS_LENGTH = 64


def client_address(connection: HTTPConnection, trusted_proxies: int) -> str:
    """Return the network that counts as the client: an IPv4 address, or the /64 network of an IPv6 address.

    Each trusted proxy appends the address that it was called from to X-Forwarded-For. So the client is the
    `trusted_proxies`-th entry from the right; the client itself can send any entry further to the left. Where that
    entry is missing or not an address, the peer of the connection counts.
    """
    peer = connection.client.host if connection.client else UNKNOWN
    if trusted_proxies:
        entries = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
        if len(entries) >= trusted_proxies:
            entry = entries[-trusted_proxies].strip()
            if len(entry) <= MAX_ADDRESS_LENGTH and (forwarded := _network(entry)):
                return forwarded
    elif "x-forwarded-for" in connection.headers:
        warn_of_untrusted_proxy()
    return _network(peer) or UNKNOWN


@cache
def warn_of_untrusted_proxy() -> None:
    """Warn, once per process, that all clients behind a proxy may count as one."""
    logger.warning(
        "forwarded_for_ignored",
        hint="A request has the header X-Forwarded-For, but TRUSTED_PROXY_COUNT is 0. If a proxy of yours sets the "
        "header, set TRUSTED_PROXY_COUNT: until then, rate limits count all clients behind the proxy as one.",
    )


@lru_cache(maxsize=4096)
def _network(text: str) -> str | None:
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def _without_port(text: str) -> str:
    """Remove the port, which some proxies append: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if text.startswith("["):
        address, bracket, _ = text[1:].partition("]")
        return address if bracket else text
    return text.partition(":")[0] if text.count(":") == 1 else text
