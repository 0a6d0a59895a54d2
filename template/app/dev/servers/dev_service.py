"""Servers that a module stands on, as `app dev` runs them on a developer's machine."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class DevService:
    """A server for as long as `app dev` runs, where no other is named. `app/<module>/dev_service.py` has it.

    Attributes:
        name: of the folder of its data in `.local/`.
        setting: the environment variable that tells the application where the server is.
        is_wanted: whether that is not set.
        run: runs the server on a folder, for the length of the block, and gives the setting's value. Raises
            `FileNotFoundError` where this machine has not got it.
        find: the setting's value, if another process runs the server on the folder.
        without: what the developer is told then: how the application gets on without.
    """

    name: str
    setting: str
    is_wanted: Callable[[], bool]
    run: Callable[[Path], AbstractContextManager[str]]
    find: Callable[[Path], str | None]
    without: str
