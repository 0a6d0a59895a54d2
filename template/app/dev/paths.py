"""The folders of a developer's data, and the error for a folder in use."""

from pathlib import Path

from app.dev.lock import Holder
from app.kit.user_error import UserError

PROJECT = Path(__file__).resolve().parents[2]
LOCAL = PROJECT / ".local"
DATA = LOCAL / "postgres"
LOCK = LOCAL / "lock"
DEV = "app dev"


def already_running(holder: Holder) -> UserError:
    """Return the error for a second `app dev` in the same folder."""
    where = f" on {holder.url}" if holder.url else ""
    return UserError(f"`app dev` is already running here{where}. Stop it with Ctrl-C there, or: kill {holder.pid}")
