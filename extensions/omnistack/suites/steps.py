"""The steps that a rendered project goes through: the commands that its own README and workflow name."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from omnistack.shell.errors import OmniError
from omnistack.shell.process import LEAKING_VARIABLES, kill_group, program
from omnistack.suites import user_module
from omnistack.suites.tripwire import poisoned

READY_PATH = "/api/v1/public/health/ready"
BOOT_SECONDS = 60
STOP_SECONDS = 20
STEP_SECONDS = 1800
PLATFORMS = ("linux", "darwin", "win32")


class StepError(OmniError):
    """A step failed; `output` is everything that its command printed."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output
        # A test that fails with the error shows its end.
        self.add_note(output[-6000:])


@dataclass(frozen=True)
class Site:
    """A rendered project and the environment that its commands run in."""

    folder: Path
    environment: Mapping[str, str]
    workers: int = 1
    """Processes that run the tests."""

    def run(self, *command: str) -> None:
        """Run a command in the project to its end.

        Raises:
            StepError: it failed or took longer than half an hour.
        """
        shown = " ".join(command)
        # A file, since a process that its tests have started may hold a pipe open after its end.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen(
                [program(command[0]), *command[1:]],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            try:
                process.wait(STEP_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise StepError(f"`{shown}` took more than {STEP_SECONDS} seconds", _written(output)) from error
            finally:
                # The servers that its tests have started end with it, also if this program is interrupted.
                with suppress(ProcessLookupError):
                    kill_group(process)
                process.wait()
            if process.returncode:
                raise StepError(f"`{shown}` exited with {process.returncode}", _written(output))

    def uv(self, *command: str) -> None:
        """Run a command in the project's own environment."""
        self.run("uv", "run", "--no-sync", *command)


def environment(
    database_url: str, *, types_cache: Path, bytecode: Path, interpreter: str | None = None
) -> dict[str, str]:
    """Make the environment of a cell: none of the caller's settings, a new secret, a database of its own.

    Args:
        database_url: of a database for this cell only.
        types_cache: mypy's cache, for one cell at a time. Most packages are the same in most cells.
        bytecode: where Python stores compiled files of packages and of the project, for one cell at a time.
        interpreter: path of the Python to run; without it, uv chooses one.
    """
    unwanted = {*LEAKING_VARIABLES, "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    # This program's own tools must not replace those that a project forgets to declare.
    ours = Path(sys.executable).parent
    kept["PATH"] = os.pathsep.join(path for path in kept["PATH"].split(os.pathsep) if Path(path) != ours)
    if interpreter is not None:
        kept["UV_PYTHON"] = interpreter
    return kept | {
        "ENVIRONMENT": "local",
        "PROJECT_NAME": "Suite",
        "SECRET_KEY": secrets.token_hex(32),
        "DATABASE_URL": database_url,
        "MYPY_CACHE_DIR": str(types_cache),
        "PYTHONPYCACHEPREFIX": str(bytecode),
    }


def install(site: Site) -> None:
    """Install the packages of the lock."""
    site.run("uv", "sync", "--quiet", "--locked")


def add_user_module(site: Site) -> None:
    """Add a user's own module with its two revisions, as the project's documentation teaches, and apply them."""
    user_module.copy_files(site.folder)
    site.uv("app", "db", "revision", "-m", "bookings")
    site.uv("app", "db", "upgrade")
    site.uv("app", "db", "revision", "--empty", "-m", "booking lines of old bookings")
    user_module.fill_data_migration(site.folder)
    site.uv("app", "db", "upgrade")
    site.uv("app", "db", "check")


def lint(site: Site) -> None:
    """Check the style of every file and the direction of imports."""
    site.uv("ruff", "check", ".")
    site.uv("ruff", "format", "--check", ".")
    site.uv("lint-imports")


def types(site: Site) -> None:
    """Check the types, strictly, for every platform that developers use."""
    for platform in PLATFORMS:
        # mypy's cache is for one platform. With one cache per platform, packages are read once for all cells.
        cache = f"{site.environment['MYPY_CACHE_DIR']}/{platform}"
        site.uv("mypy", "--platform", platform, "--cache-dir", cache)


def foresee(site: Site, python: str) -> None:
    """Check what is possible without the interpreter: every package has a wheel for it, and the types agree."""
    site.run(
        "uv", "pip", "compile", "--quiet", "--python-version", python, "--only-binary", ":all:", "--group", "dev",
        "pyproject.toml", "--output-file", "foreseen.txt",
    )  # fmt: skip
    site.uv("mypy", "--python-version", python)


def migrate(site: Site) -> None:
    """Upgrade an empty database to the newest revision, and check that models and tables agree."""
    site.uv("app", "db", "upgrade")
    site.uv("app", "db", "check")


def boot(site: Site) -> None:
    """Start the server as in production, wait until it is ready, and stop it with SIGTERM."""
    port = _free_port()
    server = subprocess.Popen(
        [program("uv"), "run", "--no-sync", "app", "serve", "--host", "127.0.0.1", "--port", str(port)],
        cwd=site.folder,
        env=site.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        _wait_until_ready(server, f"http://127.0.0.1:{port}{READY_PATH}")
        server.send_signal(signal.SIGTERM)
        output, _ = server.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise StepError(f"the server did not stop within {STOP_SECONDS} seconds", str(error.output)) from error
    finally:
        if server.poll() is None:
            kill_group(server)
            server.wait()
    if "Traceback" in output:
        raise StepError("the server logged a traceback", output)


def tests(site: Site) -> None:
    """Run the project's tests, template's and user's, on database servers of their own.

    `.env` and the environment are poisoned: no test may use what a developer has set there.
    """
    spread = ("-n", str(site.workers), "--dist", "loadfile") if site.workers > 1 else ()
    with poisoned(site.folder, site.environment) as (environment, wire):
        Site(site.folder, environment).uv("pytest", "-q", *spread)
    if wire.connections:
        raise StepError(
            f"the tests connected {wire.connections} times to servers that only `.env` and the environment name", ""
        )


def downgrade(site: Site) -> None:
    """Remove every table."""
    site.uv("app", "db", "downgrade", "base", "--yes")


def _written(output: IO[str]) -> str:
    output.seek(0)
    return output.read()


@dataclass(frozen=True)
class Step:
    """A step, under the name that a failure reports."""

    name: str
    take: Callable[[Site], None]


# The user's module comes after what production runs, and before everything that reads the whole project.
ORDER = (install, migrate, boot, add_user_module, lint, types, tests, downgrade)
STEPS = tuple(Step(take.__name__, take) for take in ORDER)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(server: "subprocess.Popen[str]", url: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise StepError("the server ended before it was ready", server.communicate()[0])
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of our own
                if answer.status == 200:  # noqa: PLR2004 - HTTP OK
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    kill_group(server)
    raise StepError(f"the server was not ready within {BOOT_SECONDS} seconds", server.communicate()[0])
