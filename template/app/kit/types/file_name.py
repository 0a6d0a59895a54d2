"""File names from users, made safe for every file system and every header."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Final

from app.kit.text import normalized
from app.kit.types.base import StringFormat

MAX_FILE_NAME_LENGTH: Final = 200
_MAX_TYPED_LENGTH: Final = 255
_MAX_SUFFIX_LENGTH: Final = 20

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Characters that file systems or shells interpret.
_RESERVED: Final = re.compile(r'[<>:"|?*;]')
# Invisible characters, and those that change the reading direction so that `gnp.exe` looks like `exe.png`.
_HIDDEN: Final = frozenset({"Cf", "Co", "Cs", "Cn"})
_DEVICES: Final = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{name}{n}" for name in ("COM", "LPT") for n in range(10))})


def clean_file_name(value: str) -> str:
    """Return the name without folders, hidden and reserved characters, cut to 200 characters.

    The caller limits the length first.

    Raises:
        ValueError: nothing remains, or the name contains a line break or another control character.
    """
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters")
    text = normalized(value).replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(character for character in text if unicodedata.category(character) not in _HIDDEN)
    name = _trimmed(_RESERVED.sub("_", shown))
    if name.partition(".")[0].rstrip().upper() in _DEVICES:
        name = f"_{name}"
    suffix = PurePosixPath(name).suffix
    if len(name) > MAX_FILE_NAME_LENGTH and len(suffix) <= _MAX_SUFFIX_LENGTH:
        name = name[: MAX_FILE_NAME_LENGTH - len(suffix)].rstrip(" .") + suffix
    name = _trimmed(name[:MAX_FILE_NAME_LENGTH])
    if not name:
        raise ValueError("is not a file name")
    return name


def _trimmed(name: str) -> str:
    return name.strip().strip(". ").strip()


FileName = Annotated[
    str,
    StringFormat(
        check=clean_file_name,
        max_length=_MAX_TYPED_LENGTH,
        format="file-name",
        examples=("report 2026.pdf", "猫.png"),
    ),
]
"""A file name, cleaned rather than refused: `../../etc/passwd` becomes `passwd`. At most 200 characters."""
