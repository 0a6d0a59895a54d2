"""Health check of the scheduled backups in this container: `python -m app.backup.heartbeat` exits with 0 or 1.

Imports only the standard library: containers run it every few seconds, and importing the application takes a second.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

HEARTBEAT_INTERVAL: Final = 15.0
HEARTBEAT_TIMEOUT: Final = 60.0
"""Seconds without a heartbeat after which the process counts as dead."""
OK: Final = "ok"
FAILED: Final = "failed"


def heartbeat_file() -> Path:
    """Return the file that `app backup schedule` writes. Each container has its own."""
    return Path(tempfile.gettempdir()) / "app-backup-heartbeat"


def is_healthy(file: Path) -> bool:
    """Return whether the process wrote the file recently, and its last backup did not fail."""
    try:
        return time.time() - file.stat().st_mtime < HEARTBEAT_TIMEOUT and file.read_text(encoding="ascii") == OK
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_healthy(heartbeat_file()) else 1)
