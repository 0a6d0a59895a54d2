"""What settings of buckets have in common."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

BUCKET_NAME: Final = r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$"


def _endpoint(value: str) -> str:
    parts = urlsplit(value.rstrip("/"))
    plain = not (parts.query or parts.fragment or parts.username)
    if value and not (parts.scheme in {"http", "https"} and parts.hostname and plain):
        raise ValueError('has to be an address like "https://storage.example.com"')
    return value.rstrip("/")


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""The address of a server, or nothing."""
