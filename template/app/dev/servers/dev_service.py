"""A server that a module needs and that `app dev` runs on a developer's machine."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class DevService:
    """A server that runs as long as `app dev`, unless the settings name another one. See `app/dev/servers/`.

    Attributes:
        name: the name of its data folder in `.local/`.
        setting: the setting that tells the application where the server is.
        is_wanted: return whether that setting is empty.
        run: run the server on a folder until the end of the block, and yield the setting's value. Raises
            `FileNotFoundError` if the server isn't installed on this machine.
        find: return the setting's value if another process runs the server on the folder.
        without: the message for the developer if the server isn't installed: how the application works without it.
    """

    name: str
    setting: str
    is_wanted: Callable[[], bool]
    run: Callable[[Path], AbstractContextManager[str]]
    find: Callable[[Path], str | None]
    without: str
