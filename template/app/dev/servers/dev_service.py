"""A server that a module needs and that `app dev` runs on a developer's machine."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class DevService:
    """A server that runs as long as `app dev`, unless the settings name another one. See `app/dev/servers/`.

    Attributes:
        name: the name of its data folder in `.local/`.
        is_wanted: return whether the settings name no other server.
        run: run the server on a folder until the end of the block, and yield the settings that tell the application
            where it is. The second argument is the application's URL. Raises `FileNotFoundError` if the
            server isn't installed on this machine.
        find: return those settings if another process runs the server on the folder.
        without: the message for the developer if the server isn't installed: how the application works without it.
        is_shared: return whether this machine has the server and processes of the application share data through it.
        started: the message for the developer after a start, if any. `{SETTING}` stands for a setting's value.
    """

    name: str
    is_wanted: Callable[[], bool]
    run: Callable[[Path, str], AbstractContextManager[Mapping[str, str]]]
    find: Callable[[Path], Mapping[str, str] | None]
    without: str = ""
    started: str = ""
    is_shared: Callable[[], bool] = lambda: False
