"""Whether the worker of this machine or container is alive: `python -m app.jobs.alive` tells by its exit code.

Of the standard library alone: containers ask it every few seconds, and importing the application takes a second.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

PATIENCE: Final = 30.0
"""Seconds without a sign of life after which a worker counts as dead."""


def sign_of_life() -> Path:
    """The file that a worker touches, a container's own."""
    return Path(tempfile.gettempdir()) / "app-worker-alive"


def is_alive(file: Path) -> bool:
    """Whether a worker has touched the file lately."""
    try:
        return time.time() - file.stat().st_mtime < PATIENCE
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_alive(sign_of_life()) else 1)
