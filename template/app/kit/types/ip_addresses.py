"""Public and private IP addresses."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

# What `is_global` accepts, in some version of Python or in all: IANA's special-purpose registries, and a cloud's own.
_PRIVATE_V4: Final = (
    IPv4Network("168.63.129.16/32"),  # Azure's host: credentials and configuration of the virtual machine
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("224.0.0.0/3"),  # multicast, and reserved
)
MAX_ADDRESS_LENGTH: Final = 100
"""Characters: an IPv6 address has 45 at most, without its zone."""
_UNICAST_V6: Final = IPv6Network("2000::/3")
_PRIVATE_V6: Final = (
    IPv6Network("2001::/23"),  # protocol assignments, such as Teredo
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4, which contains an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public_address(address: str | IPv4Address | IPv6Address) -> bool:
    """Return whether an IP address belongs to a host on the public internet.

    For an IPv6 address that contains an IPv4 address (mapped, or by NAT64), the IPv4 address is checked. To protect a
    request against server-side request forgery, check each address that the name resolves to, and connect to the
    address that was checked.

    Raises:
        ValueError: the text is not an IP address.
    """
    if isinstance(address, str) and len(address) > MAX_ADDRESS_LENGTH:
        raise ValueError("The text is too long for an IP address.")
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        embedded = _embedded(parsed)
        if embedded is None:
            return (
                parsed.scope_id is None
                and parsed in _UNICAST_V6
                and parsed.is_global
                and not any(parsed in network for network in _PRIVATE_V6)
            )
        parsed = embedded
    return parsed.is_global and not any(parsed in network for network in _PRIVATE_V4)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped
