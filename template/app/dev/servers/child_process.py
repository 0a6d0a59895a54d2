"""Run a server that never outlives the process that started it.

This is a script that imports only the standard library, so that it starts within milliseconds:

    python -I -S child_process.py PARENT_PID [OWNED_FOLDER[:OWNED_FOLDER…]] PROGRAM [ARGUMENT…]

PostgreSQL refuses to run as root, but development containers run as root. In that case the script enters a user
namespace that maps root to another user, or, where namespaces are forbidden, switches to the user `nobody`. If no
folders are given (the argument is empty), the program keeps its user.
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


def main(arguments: list[str]) -> int:
    """Run the program. On Linux this replaces the process and doesn't return."""
    parent, folders, command = int(arguments[0]), arguments[1].split(os.pathsep), arguments[2:]
    if sys.platform != "win32" and arguments[1] and os.geteuid() == 0:
        leave_root([Path(folder) for folder in folders])
    if sys.platform == "linux":
        die_with(parent, FAST_SHUTDOWN)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    return watch(command)


if sys.platform != "win32":

    def leave_root(folders: list[Path]) -> None:
        """Switch this process to a user other than root who owns the folders."""
        take_over(folders, 0, 0)
        if not enter_user_namespace():
            become_nobody(folders)

    def enter_user_namespace() -> bool:
        """Enter a user namespace in which root's files belong to another user; return whether the kernel allowed it."""
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
        """Give the folders to the user `nobody` and continue as that user."""
        import pwd

        nobody = pwd.getpwnam("nobody")
        take_over(folders, nobody.pw_uid, nobody.pw_gid)
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        if sys.platform == "linux":
            keep_search_permission(libc)
        for folder in folders:
            try:
                list(folder.iterdir())
            except PermissionError:
                sys.exit(
                    f"PostgreSQL does not run as root, and the user nobody cannot enter {folder}.\n"
                    "Run this as another user, move the project out of root's home, or set DATABASE_URL."
                )

    def keep_search_permission(libc: ctypes.CDLL) -> None:
        """Keep root's capability to enter folders that are closed to others, such as root's home; drop all others.

        If root doesn't have that capability, nothing changes.
        """
        mask = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        # Effective, permitted and inheritable, of the lower and of the upper 32 capabilities.
        rights = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
        if libc.capset(header, rights) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)

    def take_over(folders: list[Path], uid: int, gid: int) -> None:
        """Change the owner of the folders and of everything in them."""
        for folder in folders:
            if folder.stat().st_uid != uid:
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, uid, gid, follow_symlinks=False)


def die_with(parent: int, with_signal: signal.Signals) -> None:
    """Ask the kernel to send this process the signal when its parent ends for whatever reason (Linux, prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit("The parent process has ended already.")


def watch(command: list[str]) -> int:
    """Run the program until it ends, or until standard input is closed because the parent has ended."""

    def end_when_abandoned() -> None:
        while os.read(0, 1):
            pass
        process.send_signal(FAST_SHUTDOWN)

    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 - given by app.dev.servers.children
        Thread(target=end_when_abandoned, daemon=True).start()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
