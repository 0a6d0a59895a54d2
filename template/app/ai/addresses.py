"""Addresses of providers' servers."""

from pydantic import AfterValidator


def _base_url(value: str) -> str:
    scheme, separator, host = value.partition("://")
    if value and (scheme not in {"http", "https"} or not separator or not host or "?" in host or "#" in host):
        raise ValueError('has to be an address like "https://api.example.com/v1"')
    return value.rstrip("/")


BaseUrl = AfterValidator(_base_url)
"""A validator of the address of a provider's server."""
