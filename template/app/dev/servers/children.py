"""Servers that end with this process, and socket folders that only this user can enter."""

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
"""Bytes. A socket's path may have 103 bytes on macOS, and the file name takes 20 of them."""


def command_line(program: Sequence[str], *, owned: Sequence[Path] = ()) -> list[str]:
    """Return the command line of a program that ends with this process.

    Args:
        program: the path of the program and its arguments.
        owned: folders that the program's user must own. If given, that user is never root.
    """
    launcher = [sys.executable, "-I", "-S", child_process.__file__, str(os.getpid())]
    return [*launcher, os.pathsep.join(str(folder) for folder in owned), *program]


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a server. Call this from the main thread: on Linux the server ends with the thread that started it.

    Args:
        command: from `command_line`.
        log: the file that receives the server's output.
    """
    with log.open("wb") as file:
        return subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            # Ctrl-C reaches every process of the terminal's group, but the application must end before its servers.
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server gracefully; kill it if it takes longer than STOP_SECONDS."""
    if sys.platform == "linux":
        process.send_signal(child_process.FAST_SHUTDOWN)
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log_tail(log: Path) -> str:
    """Return the last ten lines of a server's log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def socket_folder(kind: str, data: Path) -> Path:
    """Create a folder that only this user can enter, with a short path that depends only on the data folder.

    Args:
        kind: the kind of server, in two letters.
        data: the server's data folder.

    Raises:
        PermissionError: another user can enter it.
        OSError: on Windows, which has no such folders.
    """
    if sys.platform == "win32":
        raise OSError("Private servers need Unix sockets, which this platform does not have.")
    name = f"{kind}-{os.getuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    temporary = Path(tempfile.gettempdir()).resolve()
    folder = (temporary if len(os.fsencode(temporary / name)) <= LONGEST_SOCKET_FOLDER else Path("/tmp")) / name  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_ours = os.getuid() in (found.st_uid, 0)
    if folder.is_symlink() or not is_ours or found.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder that only you can enter. Remove it, then try again.")
    return folder
