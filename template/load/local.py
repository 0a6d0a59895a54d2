"""The application on this machine, with a database and fakes of its own: a run needs no account and touches no data."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from app.auth.local import mint
from app.core.config.settings import core_settings
from app.dev.servers.children import command_line, log_tail, start, stop
from app.dev.servers.postgres import private_postgres
from app.dev.services import services
from app.kit.user_error import UserError
from app.migrate.migrations import upgrade

PROJECT: Final = Path(__file__).resolve().parents[1]
KEPT: Final = frozenset({"HOME", "LANG", "LC_ALL", "PATH", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV"})
"""The variables of the shell that the servers inherit: no setting, and so no key of a real account, is among them."""
SETTINGS: Final = {
    "PROJECT_NAME": "Load test",
    "ENVIRONMENT": "local",
    "SECRET_KEY": "a key of load tests on this machine only",
    "RATE_LIMIT_DEFAULT": "off",
    "RATE_LIMIT_AUTH": "off",
    "LOG_LEVEL": "WARNING",
}
START_SECONDS: Final = 90.0
ACCOUNTS: Final = 5000


class LocalServer:
    """A running application.

    Attributes:
        url: its base URL.
        process: its main process.
        database: the URL of its database.
    """

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", database: str) -> None:
        self.url = url
        self.process = process
        self.database = database


@contextmanager
def clean_environment(folder: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Replace the environment and the working directory, so that no setting of this machine, or `.env`, is read."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: value for name, value in before.items() if name in KEPT} | SETTINGS)
    os.environ.update(settings)
    os.environ["PYTHONPATH"] = str(PROJECT)
    try:
        with chdir(folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def local_server(folder: Path, *, workers: int, say: Callable[[str], object]) -> Iterator[LocalServer]:
    """Run the application, its database and the servers that it needs, until the end of the block.

    Args:
        folder: an empty folder for their data.
        workers: the number of the application's processes.
        say: receives a message for each server that this machine lacks.

    Raises:
        UserError: the application does not start.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        postgres = stack.enter_context(private_postgres(folder / "postgres" / "data", durable=False))
        os.environ["DATABASE_URL"] = postgres.url()
        stack.enter_context(services(say=say, folder=folder, url=url))
        upgrade(postgres.url())
        log = folder / "server.log"
        serve = [sys.executable, "-m", "app.cli.main", "serve", "--port", str(port), "--workers", str(workers)]
        process = start(command_line(serve), log)
        stack.callback(stop, process)
        _wait_until_ready(f"{url}{core_settings().API_V1_STR}/public/health/ready", process, log)
        yield LocalServer(url, process, postgres.url())


def write_tokens(file: Path) -> None:
    """Write the bearer tokens of ACCOUNTS accounts, which a local server accepts."""
    settings = core_settings()
    file.write_text("\n".join(mint(settings, email=f"load-{number}@example.com") for number in range(ACCOUNTS)))


def keep_log(folder: Path, target: Path) -> None:
    """Copy the application's log from the folder of `local_server`."""
    if (folder / "server.log").exists():
        shutil.copy(folder / "server.log", target)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise UserError(f"The application does not start:\n{log_tail(log)}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310 - of this machine
            return bool(response.status == 200)  # noqa: PLR2004 - OK
    except (URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
