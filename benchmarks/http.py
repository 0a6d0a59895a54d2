"""How fast a rendered project answers, as shares of a bare FastAPI route: `python -m benchmarks.http PROJECT`.

Both applications run at the same time, one uvicorn worker each, and take turns; the best round of each counts. The last
column compares the processor time that the servers spend on a request, which a busy machine disturbs least.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.load import requests_per_second

HOST = "127.0.0.1"
PROBES = Path(__file__).with_name("probes")
STARTING_SECONDS = 60
PROJECTS = 20
API = "/api/v1"
TRIVIAL = f"{API}/public/trivial"
BAD_REQUEST = 400
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A rendered project, and what its processes are given."""

    folder: Path
    environment: dict[str, str]

    def command(self, probe: str, *arguments: str) -> list[str]:
        """How one of `probes/` is run by the project's own Python."""
        return [str(self.folder / ".venv" / "bin" / "python"), str(PROBES / probe), *arguments]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A route to measure, and the share of the bare one that it should reach."""

    name: str
    server: "Server"
    path: str
    goal: float
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A process that answers on a port."""

    port: int
    pid: int

    def processor_seconds(self) -> float:
        """The processor time that it has used; nothing where the system does not say (it does on Linux)."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        # utime and stime, by proc(5) the fields 14 and 15, of which two stand before the bracket.
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a route has reached in one round."""

    rate: float
    processor_seconds: float
    """For one request."""


def main(arguments: list[str] | None = None) -> None:
    """Print one line a route."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("project", type=Path, help="a rendered project after `uv sync`")
    parser.add_argument("--seconds", type=float, default=2, help="how long each route is driven in a round")
    parser.add_argument("--rounds", type=int, default=5, help="how often; the best counts")
    options = parser.parse_args(arguments)
    if not (options.project / ".venv" / "bin" / "python").exists():
        parser.error(f"{options.project} has no .venv. Run `uv sync` there first.")
    measure(options.project, seconds=options.seconds, rounds=options.rounds)


def measure(folder: Path, *, seconds: float = 2, rounds: int = 5) -> None:
    """Print what each route of the project reaches."""
    folder = folder.resolve()
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PROJECT_NAME": "Benchmark",
        "ENVIRONMENT": "local",
        "SECRET_KEY": secrets.token_hex(32),
        "RATE_LIMIT_DEFAULT": "off",
    }
    project = Project(folder=folder, environment=environment)
    with contextlib.ExitStack() as stack:
        bare = stack.enter_context(running_server(project, "bare.py", "/bare"))
        rendered = stack.enter_context(running_server(project, "rendered.py", f"{API}/public/health"))
        targets = _targets(project, bare, rendered)
        if (folder / "app" / "redis").is_dir() and shutil.which("redis-server"):
            shared = stack.enter_context(running_server(project, "rendered.py", f"{API}/public/health", "redis"))
            targets.insert(3, Target(name="the same, limits in Redis", server=shared, path=TRIVIAL, goal=0.3))
        report(targets, take_turns(targets, seconds, rounds))


def _targets(project: Project, bare: Server, rendered: Server) -> list[Target]:
    targets = [
        Target(name="bare FastAPI route", server=bare, path="/bare", goal=1),
        Target(name="health", server=rendered, path=f"{API}/public/health", goal=0.8),
        Target(name="trivial route, everything on", server=rendered, path=TRIVIAL, goal=0.5),
    ]
    if (project.folder / "app" / "projects").is_dir():
        headers = fill_projects(project, rendered)
        path = f"{API}/app/projects"
        targets.append(Target(name=f"list of {PROJECTS}", server=rendered, path=path, goal=0.045, headers=headers))
    return targets


def fill_projects(project: Project, server: Server, count: int = PROJECTS) -> dict[str, str]:
    """Create the projects of a user, and return the user's headers."""
    command = project.command("sign_in.py")
    token = subprocess.run(command, env=project.environment, capture_output=True, text=True, check=True).stdout
    headers = {"Authorization": f"Bearer {token}"}
    for number in range(count):
        _request("POST", server.port, f"{API}/app/projects", {**headers, **JSON}, {"name": f"No. {number}"})
    return headers


def take_turns(targets: list[Target], seconds: float, rounds: int) -> dict[str, list[Round]]:
    """Drive the targets in turn."""
    results: dict[str, list[Round]] = {target.name: [] for target in targets}
    for target in targets:
        _drive(target, 1)
    for _ in range(rounds):
        for target in targets:
            results[target.name].append(_drive(target, seconds))
    return results


def _drive(target: Target, seconds: float) -> Round:
    before = target.server.processor_seconds()
    rate = requests_per_second(HOST, target.server.port, target.path, target.headers, seconds)
    spent = target.server.processor_seconds() - before
    return Round(rate=rate, processor_seconds=spent / (rate * seconds))


def report(targets: list[Target], results: dict[str, list[Round]]) -> None:
    """Print one line per target, as shares of the first."""
    sys.stdout.write(f"{'':30}{'best':>10}{'share':>9}{'goal':>8}{'by processor time':>20}\n")
    base = results[targets[0].name]
    best = max(round_.rate for round_ in base)
    cost = statistics.median(round_.processor_seconds for round_ in base)
    for target in targets:
        mine = results[target.name]
        rate = max(round_.rate for round_ in mine)
        own_cost = statistics.median(round_.processor_seconds for round_ in mine)
        by_cost = f"{cost / own_cost:.1%}" if own_cost else "unknown"
        sys.stdout.write(f"{target.name:30}{rate:8.0f}/s{rate / best:9.1%}{target.goal:8.1%}{by_cost:>20}\n")


@contextlib.contextmanager
def running_server(project: Project, probe: str, path: str, *arguments: str) -> Iterator[Server]:
    """Run one of `probes/` until the block ends."""
    port = _free_port()
    command = project.command(probe, str(port), *arguments)
    process = subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTING_SECONDS
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{probe} did not start; what it said stands above.")
            time.sleep(0.05)
        yield Server(port=port, pid=process.pid)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int, path: str) -> bool:
    try:
        _request("GET", port, path, {})
    except (OSError, HTTPException):
        return False
    return True


def _request(method: str, port: int, path: str, headers: dict[str, str], body: object = None) -> None:
    connection = HTTPConnection(HOST, port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status >= BAD_REQUEST:
            raise SystemExit(f"{method} {path} answered {answer.status}: {answer.read().decode()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
