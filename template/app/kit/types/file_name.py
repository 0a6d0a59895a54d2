"""File names from users, made safe for every file system and every header."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Final

from app.kit.text import normalized
from app.kit.types.base import StringFormat

MAX_FILE_NAME_LENGTH: Final = 200
MAX_FILE_NAME_BYTES: Final = 255
"""In UTF-8: the limit of most file systems."""
_MAX_TYPED_LENGTH: Final = 255
_MAX_SUFFIX_LENGTH: Final = 20

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Characters that file systems or shells interpret.
_RESERVED: Final = re.compile(r'[<>:"|?*;]')
# Invisible characters, and those that change the reading direction so that `gnp.exe` looks like `exe.png`.
_HIDDEN: Final = frozenset({"Cf", "Co", "Cs", "Cn"})
# Windows takes the superscript digits for digits.
_DEVICES: Final = frozenset({
    "CON", "CONIN$", "CONOUT$", "PRN", "AUX", "NUL",
    *(f"{name}{digit}" for name in ("COM", "LPT") for digit in "0123456789\xb9\xb2\xb3"),
})  # fmt: skip


def clean_file_name(value: str) -> str:
    """Return the name without folders, hidden and reserved characters, cut to 200 characters and 255 bytes.

    Raises:
        ValueError: the name has more than 255 characters, contains a line break or another control character, or
            nothing of it remains.
    """
    if len(value) > _MAX_TYPED_LENGTH:
        raise ValueError(f"must have at most {_MAX_TYPED_LENGTH} characters")
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters")
    # Normalized last: a hidden character may separate a letter from its accent.
    shown = normalized("".join(character for character in value if unicodedata.category(character) not in _HIDDEN))
    name = _trimmed(_RESERVED.sub("_", shown.replace("\\", "/").rstrip("/").rpartition("/")[2]))
    if is_device_name(name):
        name = f"_{name}"
    suffix = PurePosixPath(name).suffix
    if len(suffix) <= _MAX_SUFFIX_LENGTH and _cut(name) != name:
        name = _cut(name, suffix).rstrip(" .") + suffix
    name = _trimmed(_cut(name))
    if not name:
        raise ValueError("is not a file name")
    return name


def is_device_name(name: str) -> bool:
    """Return whether Windows takes a file name for a device, whatever its extension and case: `nul.txt`."""
    return name.partition(".")[0].rstrip().upper() in _DEVICES


def _cut(name: str, suffix: str = "") -> str:
    """Return the part of the name that leaves room for the suffix."""
    length, size = MAX_FILE_NAME_LENGTH - len(suffix), MAX_FILE_NAME_BYTES - len(suffix.encode())
    return name[:length].encode()[:size].decode(errors="ignore")


def _trimmed(name: str) -> str:
    while (trimmed := name.strip().strip(".")) != name:
        name = trimmed
    return name


FileName = Annotated[
    str,
    StringFormat(
        check=clean_file_name,
        max_length=_MAX_TYPED_LENGTH,
        format="file-name",
        examples=("report 2026.pdf", "猫.png"),
    ),
]
"""A file name. It is cleaned, not refused: `../../etc/passwd` becomes `passwd`.

At most 200 characters, and 255 bytes in UTF-8.
"""
