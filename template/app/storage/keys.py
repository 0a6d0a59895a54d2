"""Keys of objects: folders and names of characters that no store or file system interprets."""

import re
import secrets
from typing import Final
from uuid import UUID

ROOT: Final = "files"
"""The folder of all users' files."""

MAX_KEY_LENGTH: Final = 200
_PART: Final = r"[A-Za-z0-9_-](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
_KEY: Final = re.compile(rf"{_PART}(?:/{_PART})*")


class InvalidKeyError(ValueError):
    """The key contains something that a store could interpret."""

    def __init__(self) -> None:
        super().__init__(
            f"A key has up to {MAX_KEY_LENGTH} letters, digits and _ . - in parts between single slashes; no part "
            "begins or ends with a dot."
        )


def check_key(key: str) -> str:
    """Return the key unchanged.

    Raises:
        InvalidKeyError: the key is invalid.
    """
    if not is_key(key):
        raise InvalidKeyError
    return key


def is_key(value: str) -> bool:
    """Return whether this is a valid key."""
    return len(value) <= MAX_KEY_LENGTH and _KEY.fullmatch(value) is not None


def new_key(owner_id: UUID) -> str:
    """Return an unguessable key in the owner's folder."""
    return f"{ROOT}/{owner_id}/{secrets.token_hex(16)}"


def is_user_file(key: str) -> bool:
    """Return whether the key belongs to a user's file, which has a row in the database."""
    return key.startswith(f"{ROOT}/")
