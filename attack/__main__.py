"""Attack a rendered project: `uv run nox -s attack`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from attack.disk import fill_disk
from attack.faults import freeze_servers
from attack.fuzz import fuzz
from attack.issuer import misbehave
from attack.servers import render, running
from attack.slow import slow_clients


def main() -> None:
    """Render everything, start it, attack it, and fail with the list of what was found."""
    parser = argparse.ArgumentParser(prog="python -m attack", description="Attacks a rendered project.")
    parser.add_argument("--project", type=Path, help="an installed rendered project, instead of a new one")
    parser.add_argument("--only", choices=("fuzz", "faults"), help="a part of it; if not set, all")
    arguments = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="omnistack-attack-") as temporary:
        work = Path(temporary)
        project = arguments.project or render(work / "everything", "everything")
        failed = []
        with running(project, work) as target:
            if arguments.only != "faults":
                failed += fuzz(target, work)
            if arguments.only != "fuzz":
                failed += misbehave(target) + fill_disk(target) + slow_clients(target)
                failed += freeze_servers(target)
        log = target.log.read_text(encoding="utf-8", errors="replace")
    if "Traceback (most recent call last)" in log or "unhandled" in log:
        failed.append("the server's log has an unhandled error")
    sys.stdout.write(f"{time.monotonic() - started:.0f} s\n")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
