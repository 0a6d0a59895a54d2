"""Pseudonyms of network addresses, so that logs show repeated requests of one client without its address."""

import hashlib
import hmac

from pydantic import SecretStr

_PURPOSE = b"pseudonyms of network addresses"
_LENGTH = 16


def pseudonym(secret: SecretStr, address: str) -> str:
    """Return 16 hexadecimal characters that are always the same for an address.

    A plain hash could be reversed by trying every address; this one is keyed with SECRET_KEY.
    """
    key = hmac.digest(secret.get_secret_value().encode(), _PURPOSE, hashlib.sha256)
    return hmac.new(key, address.encode(), hashlib.sha256).hexdigest()[:_LENGTH]
