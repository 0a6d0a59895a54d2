"""All benchmarks: `uv run nox -s bench`. Figures of one run compare with each other, not with another day's."""

import subprocess
import tempfile
from pathlib import Path

from benchmarks import http, jobs, start


def new(folder: Path, preset: str) -> Path:
    """Make and install a project."""
    command = ["omnistack", "new", str(folder), "--preset", preset, "--defaults"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def main() -> None:
    """Measure from the first command to the last request."""
    with tempfile.TemporaryDirectory(prefix="omnistack-bench-") as temporary:
        minimal = new(Path(temporary) / "minimal", "minimal")
        everything = new(Path(temporary) / "everything", "everything")
        start.measure_first_answer(Path(temporary) / "started")
        start.measure_import(minimal)
        start.count_packages(minimal)
        http.measure(everything)
        jobs.measure(everything)


if __name__ == "__main__":
    main()
