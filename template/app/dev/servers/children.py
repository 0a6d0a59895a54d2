"""Servers that end with this process, and sockets that only its user can reach."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.dev.servers import child_process

STOP_SECONDS = 15
LONGEST_SOCKET_FOLDER = 80
"""The path of a socket may have 103 bytes (macOS), of which its name takes 20."""


def command_line(program: Sequence[str], *, owned: Sequence[Path] = ()) -> list[str]:
    """The command line that runs a program and ends it with this process.

    Args:
        owned: folders that are to belong to the program's user; given, that user is never root.
    """
    launcher = [sys.executable, "-I", "-S", child_process.__file__, str(os.getpid())]
    return [*launcher, os.pathsep.join(str(folder) for folder in owned), *program]


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts a server. Call it from the main thread: the kernel ends the server with the thread that has started it.

    Args:
        command: of `command_line`.
        log: where to write what it says.
    """
    with log.open("wb") as file:
        return subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            # Ctrl-C reaches every process of the terminal's group; the application has to end before its servers.
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a server: politely, then by force."""
    if sys.platform == "linux":
        process.send_signal(child_process.FAST_SHUTDOWN)
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_words(log: Path) -> str:
    """The end of what a server has said."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def socket_folder(kind: str, data: Path) -> Path:
    """A short path, the same for every start on this data, that nobody else can enter.

    Args:
        kind: of the server, in two letters.

    Raises:
        PermissionError: somebody else can enter it.
    """
    if sys.platform == "win32":
        raise OSError("Windows has no Unix sockets in folders that only one user can enter.")
    name = f"{kind}-{os.getuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    temporary = Path(tempfile.gettempdir()).resolve()
    folder = (temporary if len(os.fsencode(temporary / name)) <= LONGEST_SOCKET_FOLDER else Path("/tmp")) / name  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_ours = os.getuid() in (found.st_uid, 0)
    if folder.is_symlink() or not is_ours or found.st_mode & 0o077:
        raise PermissionError(f"{folder} has to be a folder that only you can enter. Remove it, then try again.")
    return folder
