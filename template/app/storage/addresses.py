"""Addresses of servers, as settings name them."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _check(value: str) -> str:
    parts = urlsplit(value)
    plain = not (parts.query or parts.fragment or parts.username)
    if value and not (parts.scheme in {"http", "https"} and parts.hostname and plain):
        raise ValueError('has to be an address like "https://api.example.com"')
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_check)]
"""The address of a server without a slash at its end, or nothing."""
