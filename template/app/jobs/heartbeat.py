"""Health check of the worker in this machine or container: `python -m app.jobs.heartbeat` exits with 0 or 1.

Imports only the standard library: containers run it every few seconds, and importing the application takes a second.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

HEARTBEAT_TIMEOUT: Final = 30.0
"""Seconds without a heartbeat after which a worker counts as dead."""


def heartbeat_file() -> Path:
    """Return the file that a worker touches. Each container has its own."""
    return Path(tempfile.gettempdir()) / "app-worker-heartbeat"


def is_alive(file: Path) -> bool:
    """Return whether a worker touched the file recently."""
    try:
        return time.time() - file.stat().st_mtime < HEARTBEAT_TIMEOUT
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_alive(heartbeat_file()) else 1)
