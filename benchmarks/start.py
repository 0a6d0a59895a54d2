"""How long it takes from nothing to a running application, what importing it costs, and what it installs."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PREFIX = "from time import perf_counter as t; s = t(); import {}; print(t() - s)"
ROUNDS = 5


def say(what: str, measured: str, goal: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{what:52}{measured:>14}   (goal {goal})\n")


def measure_first_answer(folder: Path) -> None:
    """Time `omnistack new --defaults --start` to the line that says that the readiness route has answered 200."""
    command = ["omnistack", "new", str(folder), "--defaults", "--start"]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ready:"):
                say("new --defaults --start to ready", f"{time.monotonic() - started:.1f} s", "under 10 s, warm cache")
                break
        process.terminate()
        _, errors = process.communicate(timeout=30)
        if "Ready:" not in said:
            raise SystemExit(f"the project did not start:\n{said}{errors}")


def measure_import(folder: Path) -> None:
    """Compare `import app.main` with `import fastapi`, each in processes of their own, in turns."""
    environment = {**os.environ, "SECRET_KEY": "not-used-by-an-import-but-long-enough"}
    python = str(folder / ".venv" / "bin" / "python")
    times: dict[str, list[float]] = {"fastapi": [], "app.main": []}
    for _ in range(ROUNDS + 1):
        for module, measured in times.items():
            command = [python, "-c", PREFIX.format(module)]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
            measured.append(float(done.stdout))
    # The first round compiled what had not been compiled.
    ratio = statistics.median(
        mine / theirs for mine, theirs in zip(times["app.main"][1:], times["fastapi"][1:], strict=True)
    )
    say("import app.main as a multiple of import fastapi", f"{ratio:.2f} x", "at most 3 x")


def count_packages(folder: Path) -> None:
    """Count what a minimal project installs in production, itself left out."""
    command = ["uv", "export", "--no-dev", "--no-hashes", "--no-emit-project", "--no-header", "--quiet", "--locked"]
    lines = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    names = {
        line.split("==")[0].strip() for line in lines if "==" in line and "win32'" not in line.replace("!= 'win32'", "")
    }
    say("packages of the minimal project", str(len(names)), "at most 30")
    sys.stdout.write(f"  {json.dumps(sorted(names))}\n")
