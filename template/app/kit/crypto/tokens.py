"""Random tokens and codes, for links, invitations and confirmations."""

import hashlib
import secrets
from typing import Final

TOKEN_BYTES: Final = 32
MAX_CODE_DIGITS: Final = 18


def random_token(size: int = TOKEN_BYTES) -> str:
    """Return a random token for a URL, a header or a cookie: 43 characters of A-Z, a-z, 0-9, `-` and `_`.

    Args:
        size: random bytes; at least 16, so that a token cannot be guessed.

    Raises:
        ValueError: the size is too small.
    """
    if size < 16:  # noqa: PLR2004 - 128 bits
        raise ValueError("A token needs at least 16 random bytes.")
    return secrets.token_urlsafe(size)


def random_code(digits: int = 6) -> str:
    """Return a random decimal code, such as `042917`, for people to type.

    A short code can be guessed: limit the attempts, and let it expire after a few minutes.

    Raises:
        ValueError: there are fewer than 6 or more than 18 digits.
    """
    if not 6 <= digits <= MAX_CODE_DIGITS:  # noqa: PLR2004 - a million possibilities
        raise ValueError(f"A code has 6 to {MAX_CODE_DIGITS} digits.")
    return f"{secrets.randbelow(10**digits):0{digits}}"


def token_digest(token: str) -> str:
    """Return the SHA-256 of a random token, as 64 hexadecimal characters, to store in its place.

    It suits values with at least 128 random bits only. A password needs `PasswordHasher`, and a code that people type
    needs a limit on attempts.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
