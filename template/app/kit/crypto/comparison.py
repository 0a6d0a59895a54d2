"""Comparison of secrets in constant time."""

import hmac


def equal_secrets(given: str | bytes, expected: str | bytes) -> bool:
    """Return whether two secrets are equal. The duration does not reveal how many characters are right.

    Values of different lengths are rejected at once: the length of a digest, a token or a signature is not secret.
    """
    one, other = _bytes(given), _bytes(expected)
    return len(one) == len(other) and hmac.compare_digest(one, other)


def _bytes(value: str | bytes) -> bytes:
    # A JSON string may contain lone surrogates. Treat it as a wrong secret, and don't raise an error.
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
