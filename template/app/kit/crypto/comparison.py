"""Comparison of secrets in constant time."""

import hmac


def equal_secrets(given: str | bytes, expected: str | bytes) -> bool:
    """Return whether two secrets are equal. The time does not reveal how many characters of `given` are right.

    Values of different lengths are unequal at once: the length of a digest, a token or a signature is no secret.
    """
    one, other = _bytes(given), _bytes(expected)
    return len(one) == len(other) and hmac.compare_digest(one, other)


def _bytes(value: str | bytes) -> bytes:
    # Lone surrogates, which a JSON string may contain, are a wrong secret and not an error.
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
