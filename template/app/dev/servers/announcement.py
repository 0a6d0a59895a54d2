"""The file in which the server of a fake announces the settings that lead to it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "server.json"


def announce(folder: Path, settings: Mapping[str, str]) -> None:
    """Announce the settings that lead to this process."""
    file = folder / NAME
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps({"pid": os.getpid(), "settings": dict(settings)}))
    fresh.replace(file)


def announced_settings(folder: Path) -> Mapping[str, str] | None:
    """Return the settings that lead to the process that runs on the folder, if there is one."""
    try:
        found = json.loads((folder / NAME).read_text())
        os.kill(found["pid"], 0)
        return dict(found["settings"])
    except (OSError, ValueError, KeyError):
        return None
