"""Paths that stay inside a folder."""

import re
from pathlib import Path
from typing import Annotated, Final

from app.kit.text import normalized
from app.kit.types.base import StringFormat
from app.kit.types.file_name import is_device_name

MAX_PATH_LENGTH: Final = 400
_MAX_PART_BYTES: Final = 255
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\\<>:"|?*]')


class OutsideRootError(PermissionError):
    """A path leads out of its root, or through a symbolic link."""


def check_relative_path(value: str) -> str:
    """Return a path of parts between single slashes, such as `reports/2026/march.pdf`, in Unicode's NFC.

    Raises:
        ValueError: it is absolute, a part is empty, `.` or `..`, ends with a dot or a space, names a device of Windows
            (`nul.txt`) or is too long for a file system, or it contains a backslash or another character that some
            file system interprets.
    """
    path = normalized(value) if len(value) <= MAX_PATH_LENGTH else ""
    parts = path.split("/")
    if _FORBIDDEN.search(path) or not all(map(_is_portable, parts)):
        raise ValueError('must be a relative path like "reports/2026/march.pdf"')
    return path


def _is_portable(part: str) -> bool:
    if not part.strip() or part[-1] in ". " or part[0] == " ":
        return False
    return len(part.encode()) <= _MAX_PART_BYTES and not is_device_name(part)


def path_inside(root: Path, relative: str) -> Path:
    """Return the path of a file below a folder, whether the file exists or not.

    It accesses the file system, which blocks: call it in a thread.

    Args:
        root: the folder.
        relative: a `RelativePath`, or any text.

    Raises:
        ValueError: the text is not a relative path.
        OutsideRootError: a symbolic link is part of the path. The path of `root` itself may contain some.
    """
    checked = check_relative_path(relative)
    try:
        folder = root.resolve()
    except RuntimeError:
        raise OutsideRootError(f"{root} leads nowhere") from None
    path = folder / checked
    # Not by `Path.resolve`, which takes a loop of links for a file since Python 3.13.
    if any(part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(folder) and part != folder):
        raise OutsideRootError(f"{path} leads elsewhere")
    return path


RelativePath = Annotated[
    str,
    StringFormat(
        check=check_relative_path,
        max_length=MAX_PATH_LENGTH,
        format="relative-path",
        examples=("reports/2026/march.pdf",),
    ),
]
"""A path below a folder. `path_inside` joins it to the folder and refuses symbolic links."""
