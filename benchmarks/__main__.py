"""All benchmarks: `uv run nox -s bench`. Figures of one run compare with each other, not with another day's."""

import argparse
import subprocess
import tempfile
from pathlib import Path

from benchmarks import http, jobs, observability, realtime, start


def new(folder: Path, preset: str, *answers: str) -> Path:
    """Make and install a project."""
    command = ["omnistack", "new", str(folder), "--preset", preset, *answers, "--defaults"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def main() -> None:
    """Measure from the first command to the last request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures what is made here.")
    parts = ("start", "http", "jobs", "realtime", "observability")
    parser.add_argument("--only", choices=parts, help="a part of it; if not set, all")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="omnistack-bench-") as temporary:
        if only in {None, "start"}:
            minimal = new(Path(temporary) / "minimal", "minimal")
            start.measure_first_answer(Path(temporary) / "started")
            start.measure_import(minimal)
            start.count_packages(minimal)
        if only in {None, "observability"}:
            variants = observability.VARIANTS
            observability.measure(
                {each: new(Path(temporary) / each, "everything", *observability.answers_of(each)) for each in variants}
            )
        if only not in {"start", "observability"}:
            everything = new(Path(temporary) / "everything", "everything")
        if only in {None, "http"}:
            http.measure(everything)
        if only in {None, "jobs"}:
            jobs.measure(everything)
        if only in {None, "realtime"}:
            realtime.measure(everything)


if __name__ == "__main__":
    main()
