"""Build and run the image and compose.yaml of rendered projects: `uv run nox -s containers`."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attack.servers import ROOT, unused_port

VARIABLE = "CONTAINERS_CHECK"
BESIDE = ROOT.parent / "shared" / "tools" / "containers"
PRESETS = ("minimal", "everything")


class NoCheckerError(Exception):
    """This machine can't run containers."""


def find_checker(environment: Mapping[str, str], beside: Path = BESIDE) -> Sequence[str] | None:
    """Return the command that takes a project's folder, or `None` if Docker is to be used.

    Raises:
        NoCheckerError: there is neither, or the command that the environment names does not exist.
    """
    if named := environment.get(VARIABLE):
        program = shutil.which(named, path=environment.get("PATH"))
        if program is None:
            raise NoCheckerError(f"{VARIABLE} is {named}, which is not a program.")
        return [program]
    if os.access(beside, os.X_OK) and beside.is_file():
        return [str(beside)]
    docker = shutil.which("docker", path=environment.get("PATH"))
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        raise NoCheckerError(f"No Docker engine answers. Start one, or name a program in {VARIABLE}.")
    return None


def check(project: Path, checker: Sequence[str] | None) -> int:
    """Build and start one project and stop it again. Return the exit code."""
    if checker is not None:
        return subprocess.run([*checker, str(project)], check=False).returncode
    environment = os.environ | {"PORT": str(unused_port())}
    compose = ["docker", "compose", "--project-directory", str(project)]
    try:
        return subprocess.run([*compose, "up", "--build", "--wait"], env=environment, check=False).returncode
    finally:
        subprocess.run([*compose, "down", "--volumes"], env=environment, check=False)


def main() -> None:
    """Check each preset, and fail if one fails."""
    parser = argparse.ArgumentParser(prog="python -m attack.containers", description="Runs rendered images.")
    parser.add_argument("--preset", choices=PRESETS, help="one of them; if not set, both")
    only = parser.parse_args().preset
    try:
        checker = find_checker(os.environ)
    except NoCheckerError as error:
        sys.exit(str(error))
    failed = []
    with tempfile.TemporaryDirectory(prefix="omnistack-containers-") as temporary:
        for preset in PRESETS if only is None else (only,):
            started = time.monotonic()
            project = Path(temporary) / preset
            command = ["omnistack", "new", str(project), "--preset", preset, "--defaults"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            code = check(project, checker)
            sys.stdout.write(f"{preset}: exit code {code} after {time.monotonic() - started:.0f} s\n")
            failed += [preset] if code else []
    if failed:
        sys.exit(f"containers failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
