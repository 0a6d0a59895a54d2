"""Pseudonyms of network addresses, so that logs show repeated requests of one client without its address."""

import hmac

from pydantic import SecretStr

from app.kit.derived_key import derived_key

_LENGTH = 16


def pseudonym(secret: SecretStr, address: str) -> str:
    """Return 16 hexadecimal characters that are always the same for an address.

    A plain hash could be reversed by trying every address; this one is keyed with SECRET_KEY.
    """
    key = derived_key(secret, "pseudonyms of network addresses")
    return hmac.digest(key, address.encode(), "sha256").hex()[:_LENGTH]
