"""File names from user input, made safe for every file system and every header."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from app.storage.models import NAME_LENGTH

# Characters that file systems or shells interpret.
_RESERVED: Final = re.compile(r'[<>:"|?*;]')
# Invisible characters, and those that change the reading direction so that `gnp.exe` looks like `exe.png`.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_DEVICES: Final = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{name}{n}" for name in ("COM", "LPT") for n in range(10))})
_MAX_SUFFIX_LENGTH: Final = 20


def clean_filename(value: str) -> str:
    """Return the name without folders, hidden and reserved characters, cut to 200 characters.

    Raises:
        ValueError: nothing remains.
    """
    text = unicodedata.normalize("NFC", value).replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(character for character in text if unicodedata.category(character) not in _HIDDEN)
    name = _RESERVED.sub("_", shown).strip(" .")
    if not name:
        raise ValueError("is not a file name")
    if name.partition(".")[0].rstrip().upper() in _DEVICES:
        name = f"_{name}"
    suffix = PurePosixPath(name).suffix
    if len(name) <= NAME_LENGTH or len(suffix) > _MAX_SUFFIX_LENGTH:
        return name[:NAME_LENGTH]
    return name[: NAME_LENGTH - len(suffix)] + suffix


def attachment_header(filename: str) -> str:
    """Return a `Content-Disposition` header that makes a browser save a file and never display it (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
