"""Pseudonyms of network addresses, so that logs show repeated requests of one client without its address."""

import hmac
from functools import lru_cache

from pydantic import SecretStr

_PURPOSE = b"pseudonyms of network addresses"
_LENGTH = 16


def pseudonym(secret: SecretStr, address: str) -> str:
    """Return 16 hexadecimal characters that are always the same for an address.

    A plain hash could be reversed by trying every address; this one is keyed with SECRET_KEY.
    """
    return hmac.digest(_key(secret.get_secret_value()), address.encode(), "sha256").hex()[:_LENGTH]


@lru_cache(maxsize=2)
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE, "sha256")
