"""Where a project keeps what belongs to one machine."""

from pathlib import Path

from app.dev.errors import DevError
from app.dev.lock import Holder

PROJECT = Path(__file__).resolve().parents[2]
LOCAL = PROJECT / ".local"
DATA = LOCAL / "postgres"
LOCK = LOCAL / "lock"
DEV = "app dev"


def already_running(holder: Holder) -> DevError:
    """What a second `app dev` in the same folder is told."""
    where = f" on {holder.url}" if holder.url else ""
    return DevError(f"`app dev` is already running here{where}. Stop it with Ctrl-C there, or: kill {holder.pid}")
