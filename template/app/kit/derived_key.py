"""Keys that are derived from a secret of the application, one for each purpose."""

import hmac

from pydantic import SecretStr


def derived_key(secret: SecretStr, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose: the HMAC-SHA256 (RFC 2104) of the purpose, keyed with the secret.

    What is signed or encrypted for one purpose is not valid for another one, and a key doesn't reveal the secret.

    Args:
        secret: a long random value, such as SECRET_KEY.
        purpose: a string that no other part of the application uses.
    """
    return hmac.digest(secret.get_secret_value().encode(), purpose.encode(), "sha256")
