"""The file that says where the fake runs, and the settings with which the application finds it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "server.json"
NEW: Final = "new"
"""A file that is there while the account is new."""


def write(folder: Path, settings: Mapping[str, str]) -> None:
    """Write the settings, and the process that this is."""
    file = folder / NAME
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps({"pid": os.getpid(), "settings": dict(settings)}))
    fresh.replace(file)


def read(folder: Path) -> Mapping[str, str] | None:
    """Return the settings of the server that runs on the folder, if there is one."""
    try:
        found = json.loads((folder / NAME).read_text())
        os.kill(found["pid"], 0)
        return dict(found["settings"])
    except (OSError, ValueError, KeyError):
        return None


def remove(folder: Path) -> None:
    """Remove the file, and the mark of a new account."""
    for name in (NAME, NEW):
        (folder / name).unlink(missing_ok=True)
