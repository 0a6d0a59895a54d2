"""What a file is, by its first bytes, and whether that is what somebody has said."""

import re
from typing import Final

SNIFF_LENGTH: Final = 512
MAX_TYPE_LENGTH: Final = 100
UNKNOWN: Final = "application/octet-stream"

_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")

# Where the bytes stand, which they are, and the types whose files all have them: first the one that is meant if
# nothing else is known.
_SIGNATURES: Final[tuple[tuple[int, bytes, tuple[str, ...]], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", ("image/png", "image/apng")),
    (0, b"\xff\xd8\xff", ("image/jpeg", "image/jpg")),
    (0, b"GIF87a", ("image/gif",)),
    (0, b"GIF89a", ("image/gif",)),
    (8, b"WEBP", ("image/webp",)),
    (8, b"WAVE", ("audio/wav", "audio/x-wav")),
    (8, b"AVI ", ("video/x-msvideo",)),
    (0, b"BM", ("image/bmp",)),
    (0, b"II*\x00", ("image/tiff",)),
    (0, b"MM\x00*", ("image/tiff",)),
    (4, b"ftypavif", ("image/avif",)),
    (4, b"ftypheic", ("image/heic", "image/heif")),
    (4, b"ftypqt", ("video/quicktime",)),
    (4, b"ftypM4A", ("audio/mp4", "audio/x-m4a")),
    (4, b"ftyp", ("video/mp4", "audio/mp4", "image/heic", "image/heif", "image/avif", "video/quicktime")),
    (0, b"\x1aE\xdf\xa3", ("video/webm", "audio/webm", "video/x-matroska")),
    (0, b"OggS", ("audio/ogg", "video/ogg", "application/ogg")),
    (0, b"ID3", ("audio/mpeg", "audio/mp3")),
    (0, b"fLaC", ("audio/flac",)),
    (0, b"%PDF-", ("application/pdf",)),
    (0, b"PK\x03\x04", ("application/zip",)),
    (0, b"PK\x05\x06", ("application/zip",)),
    (0, b"\x1f\x8b", ("application/gzip", "application/x-gzip")),
    (0, b"\x7fELF", ("application/x-executable",)),
    (0, b"MZ", ("application/vnd.microsoft.portable-executable",)),
)
# Containers of RIFF say in their third word which they are.
_RIFF: Final = b"RIFF"
_RIFF_OFFSET: Final = 8
_SURE_LENGTH: Final = 4
_KNOWN: Final = frozenset(name for _, _, names in _SIGNATURES for name in names)
# MPEG audio without tags has no signature worth the name.
_UNSIGNED: Final = frozenset({"audio/mpeg", "audio/mp3"})
_ZIPPED: Final = ("application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.", "application/epub+zip")
_MARKUP: Final = (b"<!doctype html", b"<html", b"<script", b"<svg", b"<body", b"<iframe")
_MARKUP_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"})


def check_content_type(value: str) -> str:
    """The type itself, in lower case and without parameters.

    Raises:
        ValueError: it is none.
    """
    if len(value) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(value):
        raise ValueError('A content type looks like "image/png": lower case, without parameters.')
    return value


def sniff(start: bytes) -> str | None:
    """The type of a file that starts like this, where that can be told."""
    names = _signed(start)
    return names[0] if names else None


def real_type(declared: str, start: bytes) -> str | None:
    """The type of a file that was declared as one and starts like this; `None` where the two contradict each other.

    What is declared as `application/octet-stream` is what its bytes say, or stays unknown.
    """
    names = _signed(start)
    if declared == UNKNOWN:
        return names[0] if names else UNKNOWN
    if names:
        return declared if declared in names or (names == ("application/zip",) and _is_zipped(declared)) else None
    if declared in _KNOWN - _UNSIGNED or _is_zipped(declared):
        return None
    if _is_markup(start) and declared not in _MARKUP_TYPES and declared.startswith(("image/", "audio/", "video/")):
        return None
    if declared.startswith("text/") and b"\0" in start:
        return None
    return declared


def _signed(start: bytes) -> tuple[str, ...]:
    for offset, signature, names in _SIGNATURES:
        # A text may begin with a few letters that are also a signature; a NUL, which no text has, makes sure of it.
        sure = len(signature) >= _SURE_LENGTH or b"\0" in start
        contained = offset != _RIFF_OFFSET or start.startswith(_RIFF)
        if sure and contained and start.startswith(signature, offset):
            return names
    return ()


def _is_zipped(declared: str) -> bool:
    return declared.startswith(_ZIPPED) or declared.endswith("+zip")


def _is_markup(start: bytes) -> bool:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<?xml", b"<!--")) or any(mark in text for mark in _MARKUP)
