"""The type of a file by its first bytes.

This module only confirms or contradicts a declared type, so it has a table of its own. The libraries do something
else: puremagic guesses one of hundreds of types with a confidence, filetype has had no release since 2022, and
libmagic is a C library.
"""

from typing import Final

SNIFF_LENGTH: Final = 512
"""The number of bytes from the start of the file that the functions read. They ignore any more."""
UNKNOWN: Final = "application/octet-stream"

# Offset, bytes, and the types whose files all have them: the first one is the default.
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
# The type of a RIFF container is in its third word.
_RIFF: Final = b"RIFF"
_RIFF_OFFSET: Final = 8
_RELIABLE_LENGTH: Final = 4
_KNOWN: Final = frozenset(name for _, _, names in _SIGNATURES for name in names)
# MPEG audio without tags has no reliable signature.
_UNSIGNED: Final = frozenset({"audio/mpeg", "audio/mp3"})
_ZIPPED: Final = ("application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.", "application/epub+zip")
_MARKUP: Final = (b"<!doctype html", b"<html", b"<script", b"<svg", b"<body", b"<iframe")
_MARKUP_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"})


def sniff(start: bytes) -> str | None:
    """Return the type of a file that starts with these bytes, or `None` if they have no known signature."""
    names = _signed(start[:SNIFF_LENGTH])
    return names[0] if names else None


def detect_type(declared: str, start: bytes) -> str | None:
    """Return the type of a file with this declared type and these first bytes; `None` if they contradict each other.

    For `application/octet-stream`, return the detected type, or `application/octet-stream` if there is none. Parameters
    and the case of the declared type don't matter.
    """
    start = start[:SNIFF_LENGTH]
    names = _signed(start)
    essence = declared.partition(";")[0].strip().lower()
    if essence == UNKNOWN:
        return names[0] if names else UNKNOWN
    return None if _is_contradicted(essence, names, start) else declared


def _is_contradicted(essence: str, names: tuple[str, ...], start: bytes) -> bool:
    if names:
        return essence not in names and not (names == ("application/zip",) and _is_zipped(essence))
    if essence in _KNOWN - _UNSIGNED or _is_zipped(essence):
        return True
    if _is_markup(start) and essence not in _MARKUP_TYPES and essence.startswith(("image/", "audio/", "video/")):
        return True
    return essence.startswith("text/") and b"\0" in start


def _signed(start: bytes) -> tuple[str, ...]:
    for offset, signature, names in _SIGNATURES:
        # Text may begin with the letters of a short signature; a NUL byte, which text never contains, rules that out.
        reliable = len(signature) >= _RELIABLE_LENGTH or b"\0" in start
        contained = offset != _RIFF_OFFSET or start.startswith(_RIFF)
        if reliable and contained and start.startswith(signature, offset):
            return names
    return ()


def _is_zipped(declared: str) -> bool:
    return declared.startswith(_ZIPPED) or declared.endswith("+zip")


def _is_markup(start: bytes) -> bool:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<?xml", b"<!--")) or any(mark in text for mark in _MARKUP)
