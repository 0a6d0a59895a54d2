"""Becomes a server that never outlives the process which started it.

Run as a script, with the standard library alone, so that it costs a few milliseconds:

    python -I -S child_process.py PARENT_PID [OWNED_FOLDER[:OWNED_FOLDER…]] PROGRAM [ARGUMENT…]

PostgreSQL refuses to run as root, as which development containers run. There it enters a user namespace in which the
same files belong to somebody who is not root, or, where namespaces are forbidden, becomes the user `nobody`. Where no
folders are named (the argument is empty), the program stays who it is.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION = 0x20080522
INNER_ID = 1000
FAST_SHUTDOWN = signal.SIGINT
POSIX_ONLY = "Windows has no root and no owners as POSIX knows them."


def main(arguments: list[str]) -> int:
    """Runs the program; returns only where the kernel cannot end it with its parent."""
    parent, folders, command = int(arguments[0]), arguments[1].split(os.pathsep), arguments[2:]
    if sys.platform != "win32" and arguments[1] and os.geteuid() == 0:
        leave_root([Path(folder) for folder in folders])
    if sys.platform == "linux":
        die_with(parent, FAST_SHUTDOWN)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    return watch(command)


def leave_root(folders: list[Path]) -> None:
    """Makes this process somebody who is not root and owns the folders."""
    take_over(folders, 0, 0)
    if not enter_user_namespace():
        become_nobody(folders)


def enter_user_namespace() -> bool:
    """Enter a namespace in which root's files belong to another user; false where the kernel forbids it."""
    if sys.platform != "linux":
        return False
    try:
        os.unshare(os.CLONE_NEWUSER)
    except OSError:
        return False
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{INNER_ID} 0 1")
    Path("/proc/self/gid_map").write_text(f"{INNER_ID} 0 1")
    return True


def become_nobody(folders: list[Path]) -> None:
    """Gives the folders to the user `nobody` and continues as that user."""
    if sys.platform == "win32":
        raise OSError(POSIX_ONLY)
    import pwd  # noqa: PLC0415 - Windows does not have it

    nobody = pwd.getpwnam("nobody")
    take_over(folders, nobody.pw_uid, nobody.pw_gid)
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if sys.platform == "linux":
        keep_reaching(libc)
    for folder in folders:
        try:
            list(folder.iterdir())
        except PermissionError:
            sys.exit(
                f"PostgreSQL does not run as root, and the user nobody cannot enter {folder}.\n"
                "Run this as another user, move the project out of root's home, or set DATABASE_URL."
            )


def keep_reaching(libc: ctypes.CDLL) -> None:
    """Keeps root's right to pass folders that are closed to others, as root's home is, and loses all other rights.

    Where root has not got that right, nothing changes.
    """
    mask = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable, of the lower and of the upper 32 capabilities.
    rights = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if libc.capset(header, rights) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def take_over(folders: list[Path], uid: int, gid: int) -> None:
    """Changes the owner of what belongs to somebody else."""
    if sys.platform == "win32":
        raise OSError(POSIX_ONLY)
    for folder in folders:
        if folder.stat().st_uid != uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, gid, follow_symlinks=False)


def die_with(parent: int, with_signal: signal.Signals) -> None:
    """Has the kernel send this process the signal when its parent is gone, however that came about (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit("The process that wanted this server has gone.")


def watch(command: list[str]) -> int:
    """Runs the program until it ends, or until nobody holds the other end of standard input any more."""

    def end_when_abandoned() -> None:
        while os.read(0, 1):
            pass
        process.send_signal(FAST_SHUTDOWN)

    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 - given by app.dev.servers.children
        Thread(target=end_when_abandoned, daemon=True).start()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
