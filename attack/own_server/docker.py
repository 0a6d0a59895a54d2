"""A `docker` for machines without an engine: it runs the services of compose.production.yaml as processes.

It understands the commands of `own-server/deploy`, and nothing else. An image is a folder with a release. A container
is a process with a loopback address of its own, in a network namespace (`namespace.py`). PostgreSQL and Redis run
already. The environment variable STAND_IN_DIR names the folder of images, containers, logs and settings.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from dotenv import dotenv_values

ROOT: Final = Path(os.environ["STAND_IN_DIR"])
EXTERNAL: Final = ("postgres", "redis")
VARIABLE: Final = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


class Refused(SystemExit):
    """A command that docker would refuse."""

    def __init__(self, message: str) -> None:
        super().__init__(f"stand-in docker: {message}")


class Compose:
    """The compose file with the values of the variables."""

    def __init__(self, file: str, profiles: Sequence[str]) -> None:
        self._values = {**dotenv_values(".env"), **os.environ}
        document = yaml.safe_load(self._interpolate(Path(file).read_text(encoding="utf-8")))
        self.services: dict[str, dict[str, Any]] = document["services"]
        self.profiles = set(profiles)

    def _interpolate(self, text: str) -> str:
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
        return VARIABLE.sub(self._value, "\n".join(lines))

    def _value(self, found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        value = self._values.get(name)
        if operator == ":?" and not value:
            raise Refused(f"{name} {rest}")
        return value or (rest if operator == ":-" else "") or ""

    def active(self) -> list[str]:
        """Name the services without a profile, or with one of those that are chosen."""
        return [
            name
            for name, service in self.services.items()
            if not (profiles := set(service.get("profiles", []))) or profiles & self.profiles
        ]

    def image(self, service: str) -> Path:
        """Return the folder of a service's image."""
        folder = ROOT / "images" / str(self.services[service]["image"]).rpartition(":")[2]
        return folder if folder.is_dir() else self._missing(service)

    def _missing(self, service: str) -> Path:
        raise Refused(f"no such image: {self.services[service]['image']}")


class Container:
    """A service's process."""

    def __init__(self, compose: Compose, name: str) -> None:
        self.name = name
        self.definition = compose.services[name]
        self.external = str(self.definition["image"]).partition(":")[0] in EXTERNAL
        self._is_proxy = "caddy" in str(self.definition["image"])
        self._compose = compose
        self._record = ROOT / "containers" / f"{name}.json"
        self.log = ROOT / "logs" / f"{name}.log"
        hosts = (ROOT / "hosts").read_text(encoding="utf-8").splitlines()
        self._address = next((line.split()[0] for line in hosts if line.split()[1] == name), "127.0.0.1")

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""
        if not self._record.exists():
            return None
        pid = int(json.loads(self._record.read_text(encoding="utf-8"))["pid"])
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return None
        return None if state == "Z" else pid

    def environment(self) -> dict[str, str]:
        """Return the variables that the container would have."""
        given: dict[str, str | None] = {"PATH": os.environ["PATH"], "HOME": str(ROOT / "home")}
        for file in self.definition.get("env_file", []):
            given |= dotenv_values(file)
        given |= {name: str(value) for name, value in self.definition.get("environment", {}).items()}
        given |= json.loads((ROOT / "environment.json").read_text(encoding="utf-8"))
        temporary = ROOT / "tmp" / self.name
        temporary.mkdir(parents=True, exist_ok=True)
        given |= {"TMPDIR": str(temporary)}
        given |= dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(ROOT / "volumes"))
        return {name: value.replace("0.0.0.0", self._address) for name, value in given.items() if value is not None}  # noqa: S104 - replaced

    def command(self, words: Sequence[str]) -> list[str]:
        """Return a command with the paths and the address of this machine."""
        program, *arguments = (re.sub(r"0\.0\.0\.0|127\.0\.0\.1", self._address, str(word)) for word in words)
        if self._is_proxy:
            for mount in self.definition["volumes"]:
                source, target, *_ = str(mount).split(":")
                if source.startswith("."):
                    arguments = [word.replace(target, str(Path(source).resolve()), 1) for word in arguments]
            return [str(shutil.which(program)), *arguments]
        if program == "app":
            return [str(self._compose.image(self.name) / "app-command"), *arguments]
        return [sys.executable if program == "python" else program, *arguments]

    def program(self, text: str) -> str:
        """Return a program from standard input with the container's address."""
        return text.replace("127.0.0.1", self._address)

    def run(self, words: Sequence[str], variables: Sequence[str]) -> int:
        """Run a command to its end, and return its exit code."""
        environment = self.environment() | dict(variable.split("=", 1) for variable in variables)
        text = None if sys.stdin.isatty() else self.program(sys.stdin.read())
        done = subprocess.run(
            self.command(words), cwd=self._folder(), env=environment, check=False, input=text, text=True
        )
        return done.returncode

    def start(self) -> None:
        """Start the process."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                self.command(self.definition["command"]),
                cwd=self._folder(),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._record.write_text(json.dumps({"pid": process.pid}), encoding="utf-8")

    def _folder(self) -> Path:
        return ROOT if self._is_proxy else self._compose.image(self.name)

    def is_healthy(self) -> bool:
        """Run the health check once."""
        test = self.definition.get("healthcheck", {}).get("test")
        if not test:
            return True
        done = subprocess.run(
            self.command(test[1:]), cwd=self._folder(), env=self.environment(), capture_output=True, check=False
        )
        return done.returncode == 0

    def stop(self) -> None:
        """Send SIGTERM, and wait for the end."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGTERM)
            self.wait(pid)

    def wait(self, pid: int) -> None:
        """Wait until the process has ended; kill it after the grace period, and record that."""
        grace = str(self.definition.get("stop_grace_period", "10s"))
        deadline = time.monotonic() + int(grace.removesuffix("s"))
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.pid is not None:
            with (ROOT / "killed").open("a", encoding="utf-8") as file:
                file.write(f"{self.name}\n")
            os.killpg(pid, signal.SIGKILL)
        self._record.unlink()


def up(compose: Compose, names: Sequence[str], *, recreate: bool, timeout: float) -> None:
    """Start services, and wait until they are healthy."""
    containers = [Container(compose, name) for name in names]
    containers = [container for container in containers if not container.external]
    for container in containers:
        if recreate:
            container.stop()
        if container.pid is None:
            container.start()
    deadline = time.monotonic() + timeout
    for container in containers:
        while not container.is_healthy():
            if container.pid is None:
                raise Refused(f"container {container.name} exited")
            if time.monotonic() > deadline:
                raise Refused(f"container {container.name} is unhealthy")
            time.sleep(0.5)


def stop_all(compose: Compose, names: Sequence[str]) -> None:
    """Stop services at the same time, as docker does."""
    containers = [Container(compose, name) for name in names]
    running = [(container, pid) for container in containers if (pid := container.pid) is not None]
    for _, pid in running:
        os.kill(pid, signal.SIGTERM)
    for container, pid in running:
        container.wait(pid)


def options() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(prog="docker")
    compose = parser.add_subparsers(required=True).add_parser("compose")
    compose.add_argument("--file", action="append", required=True)
    compose.add_argument("--profile", action="append", default=[])
    commands = compose.add_subparsers(dest="command", required=True)
    described: dict[str, tuple[str, ...]] = {
        "config": ("--quiet", "--services"),
        "pull": ("--quiet",),
        "up": ("--detach", "--no-deps", "--no-recreate", "--force-recreate", "--wait"),
        "stop": (),
        "rm": ("--stop", "--force"),
        "logs": ("--no-color",),
        "ps": ("--services",),
        "run": ("--rm", "--no-TTY"),
        "exec": ("--no-TTY",),
    }
    for name, flags in described.items():
        command = commands.add_parser(name)
        for flag in flags:
            command.add_argument(flag, action="store_true")
        if name == "exec":
            command.add_argument("--env", action="append", default=[])
        if name == "ps":
            command.add_argument("--status")
        if name == "up":
            command.add_argument("--wait-timeout", type=float, default=60.0)
        if name == "logs":
            command.add_argument("--tail", type=int, default=30)
        command.add_argument("names", nargs=argparse.REMAINDER if name in {"run", "exec"} else "*")
    return parser


def lines(compose: Compose) -> Iterator[str]:
    """Yield a line for each container that runs."""
    for name in compose.active():
        container = Container(compose, name)
        if container.external or container.pid is not None:
            yield name


def execute(compose: Compose, chosen: Mapping[str, Any]) -> int:
    """Run one command, and return its exit code."""
    names: list[str] = chosen["names"]
    match chosen["command"]:
        case "config":
            print("\n".join(compose.active()) if chosen["services"] else "", end="\n" if chosen["services"] else "")
        case "pull":
            _ = [compose.image(name) for name in names]
        case "up":
            up(compose, names or compose.active(), recreate=chosen["force_recreate"], timeout=chosen["wait_timeout"])
        case "stop" | "rm":
            stop_all(compose, names)
        case "logs":
            for name in names:
                text = Container(compose, name).log.read_text(encoding="utf-8", errors="replace")
                print("\n".join(text.splitlines()[-chosen["tail"] :]))
        case "ps":
            print("\n".join(lines(compose)))
        case "run" | "exec":
            return Container(compose, names[0]).run(names[1:], chosen.get("env", []))
    return 0


def main() -> None:
    """Run the command of the arguments."""
    chosen = vars(options().parse_args())
    sys.exit(execute(Compose(chosen["file"][0], chosen["profile"]), chosen))


if __name__ == "__main__":
    main()
