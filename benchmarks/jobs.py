"""How fast a rendered project's queue is, beside plain arq on the same Redis: `python -m benchmarks.jobs PROJECT`."""

import json
import os
import secrets
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.start import say

PROBE = Path(__file__).with_name("probes") / "jobs.py"
JOBS, ROUNDS = 1000, 3


def measure(folder: Path) -> None:
    """Print what the queue reaches; the median of the rounds, each of which measures both."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PROJECT_NAME": "Benchmark",
        "ENVIRONMENT": "local",
        "SECRET_KEY": secrets.token_hex(32),
    }
    command = [str(folder / ".venv" / "bin" / "python"), str(PROBE), str(JOBS), str(ROUNDS)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    *rounds, idles = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))

    def median(name: str) -> str:
        return f"{statistics.median(figures[name] for figures in rounds):.0f} /s"

    def share(name: str) -> str:
        return f"{100 * statistics.median(figures['worked'] / figures[name] for figures in rounds):.0f} %"

    say("enqueue through the outbox, a transaction each", median("each"), "none")
    say("enqueue through the outbox, one transaction", median("together"), "none")
    say("one worker, no-op jobs", median("worked"), "none")
    say("plain arq as it comes", median("arq"), "none")
    say("plain arq, polling as often as the worker does", median("arq_polling"), "none")
    say("the worker, as a share of arq as it comes", share("arq"), "at least 50 %")
    say("the worker, as a share of arq polling as often", share("arq_polling"), "at least 50 %")
    say("an idle outbox in an API, share of a core", f"{100 * idles['idle_api']:.2f} %", "under 1 %")
    say("an idle worker, share of a core", f"{100 * idles['idle_worker']:.2f} %", "under 1 %")


if __name__ == "__main__":
    measure(Path(sys.argv[1]).resolve())
