"""Keys of objects: folders of harmless characters, so that no store reads more into them than a name."""

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
    """The key could mean something else to a store than a name."""

    def __init__(self) -> None:
        super().__init__(
            f"A key has up to {MAX_KEY_LENGTH} letters, digits and _ . - in parts between single slashes; no part "
            "begins or ends with a dot."
        )


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        InvalidKeyError: it is none.
    """
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise InvalidKeyError
    return key


def new_key(owner_id: UUID) -> str:
    """A key below the owner's folder that nobody can guess."""
    return f"{ROOT}/{owner_id}/{secrets.token_hex(16)}"
