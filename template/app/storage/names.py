"""Names of files, as people type them, made harmless for every file system and every header."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from app.storage.models import NAME_LENGTH

# What a file system or a shell takes for something else than a part of a name.
_RESERVED: Final = re.compile(r'[<>:"|?*;]')
# Invisible, or able to turn the reading direction so that `exe.png` is really `gnp.exe`.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_DEVICES: Final = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{name}{n}" for name in ("COM", "LPT") for n in range(10))})
_LONGEST_SUFFIX: Final = 20


def clean_name(value: str) -> str:
    """The name without folders, hidden characters and what file systems reserve, at most 200 characters long.

    Raises:
        ValueError: nothing is left of it.
    """
    text = unicodedata.normalize("NFC", value).replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(character for character in text if unicodedata.category(character) not in _HIDDEN)
    name = _RESERVED.sub("_", shown).strip(" .")
    if not name:
        raise ValueError("is no name of a file")
    if name.partition(".")[0].rstrip().upper() in _DEVICES:
        name = f"_{name}"
    suffix = PurePosixPath(name).suffix
    if len(name) <= NAME_LENGTH or len(suffix) > _LONGEST_SUFFIX:
        return name[:NAME_LENGTH]
    return name[: NAME_LENGTH - len(suffix)] + suffix


def attachment(filename: str) -> str:
    """The header `Content-Disposition` with which a browser saves a file and never shows it (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
