"""What realtime connections cost, beside bare `websockets`: `python -m benchmarks.realtime PROJECT`."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.start import say

PROBE = Path(__file__).with_name("probes") / "realtime.py"
USERS = 300
MINT = """
import json
from app.auth.local import mint
from app.core.config.settings import core_settings
settings = core_settings()
print(json.dumps([mint(settings, email=f"user{number}@example.com") for number in range(USERS)]))
"""


def measure(folder: Path) -> None:
    """Print the memory of an idle connection, the fan-out to a thousand, and the time from publishing to receipt."""
    python = str(folder / ".venv" / "bin" / "python")
    with tempfile.TemporaryDirectory() as temporary:
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "PROJECT_NAME": "Benchmark",
            "ENVIRONMENT": "local",
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_URL": f"sqlite+aiosqlite:///{temporary}/database.db",
            "RATE_LIMIT_DEFAULT": "off",
            "LOG_LEVEL": "WARNING",
        }

        def run(*command: str) -> str:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            return done.stdout

        run(python, "-m", "app.cli.main", "db", "upgrade")
        environment["TOKENS"] = run(python, "-c", MINT.replace("USERS", str(USERS))).splitlines()[-1]
        figures = json.loads(run(python, str(PROBE)).splitlines()[-1])
    say("memory of an idle connection, 5,000 on one worker", f"{figures['ours_memory'] / 1024:.0f} KiB", "under 64 KiB")
    say("the same with bare websockets", f"{figures['bare_memory'] / 1024:.0f} KiB", "none")
    say("one event to 1,000 connections", f"{1000 * figures['ours_fan']:.0f} ms", "none")
    share = 100 * figures["bare_fan"] / figures["ours_fan"]
    say("its speed, as a share of bare websockets", f"{share:.0f} %", "at least 70 %")
    say("publish to receipt, one of 1,000, p50", f"{1000 * figures['p50']:.1f} ms", "none")
    say("publish to receipt, one of 1,000, p99", f"{1000 * figures['p99']:.1f} ms", "none")


if __name__ == "__main__":
    measure(Path(sys.argv[1]).resolve())
