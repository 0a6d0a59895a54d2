"""The application under attack, with its own PostgreSQL and Redis."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnistack.suites.cell import write
from omnistack.suites.server import database_server
from omnistack.template.render import Renderer

START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0
OK, CREATED = 200, 201
ROOT = Path(__file__).resolve().parents[1]


class NotReadyError(Exception):
    """The application doesn't answer as ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A running application.

    Attributes:
        url: its base URL, without the API's prefix.
        project: the rendered project's folder.
        user: the token of a user.
        other: the token of another user.
        admin: the token of an administrator.
        postgres: the process id of the PostgreSQL server.
        redis: the process id of the Redis server, or `None` if this machine has none.
        log: the server's log.
        environment: the server's environment variables.
    """

    url: str
    project: Path
    user: str
    other: str
    admin: str
    postgres: int
    redis: int | None
    log: Path
    environment: dict[str, str]


def render(folder: Path, preset: str) -> Path:
    """Render a project from the checkout, committed or not, with every default of a preset, and install it."""
    write(Renderer(ROOT).render({"preset": preset}), folder)
    subprocess.run(["uv", "sync", "--quiet"], cwd=folder, check=True, env=_without_environment())
    return folder


@contextmanager
def running(project: Path, work: Path) -> Iterator[Target]:
    """Serve a rendered project in `local` on a new database to the end of the block."""
    with ExitStack() as stack:
        data = work / "postgres"
        database = stack.enter_context(database_server(ROOT / "template", data, ["attack"]))
        environment = _without_environment() | {
            "ENVIRONMENT": "local",
            "PROJECT_NAME": "Attacked",
            "DATABASE_URL": database.format("attack"),
            "SECRET_KEY": secrets.token_hex(32),
            "METRICS_TOKEN": secrets.token_hex(32),
            # Requests are refused by limits otherwise, before the code behind them is reached.
            "RATE_LIMIT_DEFAULT": "1000000/minute",
            "RATE_LIMIT_AUTH": "1000000/minute",
            "RATE_LIMIT_AI": "1000000/minute",
        }
        redis = stack.enter_context(_redis(work))
        if redis is not None:
            environment["REDIS_URL"] = redis[0]
        app = str(project / ".venv" / "bin" / "app")
        subprocess.run([app, "db", "upgrade"], cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
        port, log = unused_port(), work / "server.log"
        url, _ = stack.enter_context(serve(project, environment, port=port, log=log))
        names = ("user", "other", "admin")
        user, other, admin = (_token(app, project, environment, f"{name}@example.com", url) for name in names)
        grant = [app, "user", "grant", "admin@example.com", "admin"]
        subprocess.run(grant, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
        yield Target(
            url=url,
            project=project,
            user=user,
            other=other,
            admin=admin,
            postgres=int((data / "postmaster.pid").read_text(encoding="ascii").split()[0]),
            redis=None if redis is None else redis[1],
            log=log,
            environment=environment,
        )


@contextmanager
def serve(project: Path, environment: dict[str, str], *, port: int, log: Path) -> Iterator[tuple[str, int]]:
    """Serve a rendered project to the end of the block; yield its URL and the server's process id."""
    app = str(project / ".venv" / "bin" / "app")
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [app, "serve", "--port", str(port)], cwd=project, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            try:
                wait_until_ready(url, START_TIMEOUT)
            except NotReadyError as error:
                raise SystemExit(f"{error}\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}") from error
            yield url, process.pid
        finally:
            _stop(process)


@contextmanager
def _redis(work: Path) -> Iterator[tuple[str, int] | None]:
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    folder = work / "redis"
    folder.mkdir()
    path = folder / "socket"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"unix://{path}", process.pid
    finally:
        _stop(process)


def get(url: str, *, token: str | None = None, timeout: float = 5.0) -> tuple[int, object]:
    """Return the status and the decoded JSON of a GET request, whatever the status is.

    Raises:
        OSError: no complete answer within the timeout.
    """
    return send("GET", url, headers={} if token is None else {"Authorization": f"Bearer {token}"}, timeout=timeout)


def send(
    method: str, url: str, *, headers: dict[str, str], content: bytes | None = None, timeout: float = 5.0
) -> tuple[int, object]:
    """Return the status and the decoded JSON of a request, whatever the status is; `None` for an empty body.

    Raises:
        OSError: no complete answer within the timeout.
    """
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310 - always http
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310 - always http
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_until_ready(url: str, timeout: float) -> float:
    """Wait until the readiness route answers 200, and return the seconds that it took.

    Raises:
        NotReadyError: it didn't within the timeout.
    """
    started = time.monotonic()
    while time.monotonic() < started + timeout:
        try:
            status, _ = get(f"{url}/api/v1/public/health/ready")
        except OSError:
            status = 0
        if status == OK:
            return time.monotonic() - started
        time.sleep(0.1)
    raise NotReadyError(f"The application was not ready within {timeout:.0f} s.")


def unused_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _token(app: str, project: Path, environment: dict[str, str], email: str, url: str) -> str:
    command = [app, "token", "--email", email]
    done = subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, text=True)
    token = str(done.stdout).strip()
    status, _ = get(f"{url}/api/v1/app/users/me", token=token)
    if status != OK:
        raise SystemExit(f"The token of {email} is answered with {status}.")
    return token


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _without_environment() -> dict[str, str]:
    """Return the environment without this repository's virtual environment."""
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
