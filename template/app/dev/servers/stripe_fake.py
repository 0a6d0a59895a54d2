"""The fake of Stripe as a server that `app dev` runs while there is no key."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from app.core.config.settings import load_settings
from app.dev.servers.children import command_line, log_tail, start, stop
from app.dev.servers.dev_service import DevService
from app.dev.servers.stripe import server_file
from app.stripe.settings import StripeSettings

START_SECONDS: Final = 20
SETUP_SECONDS: Final = 60


def _is_wanted() -> bool:
    settings = cast("StripeSettings", load_settings([StripeSettings])[StripeSettings])
    return settings.is_local and not settings.STRIPE_SECRET_KEY.get_secret_value()


@contextmanager
def _run(folder: Path, api_url: str) -> Iterator[Mapping[str, str]]:
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    server_file.remove(folder)
    program = [sys.executable, "-m", "app.dev.servers.stripe.server", str(folder), f"{api_url}/public/webhooks/stripe"]
    process = start(command_line(program), log)
    try:
        found = _wait_until_ready(folder, process, log)
        if (folder / server_file.NEW).exists():
            _set_up(found, log)
        yield found
    finally:
        stop(process)


def _wait_until_ready(folder: Path, process: subprocess.Popen[bytes], log: Path) -> Mapping[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while (found := server_file.read(folder)) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"The fake of Stripe did not start:\n{log_tail(log)}")
        time.sleep(0.01)
    return found


def _set_up(settings: Mapping[str, str], log: Path) -> None:
    """Create the products and prices of plans.toml in a new account, like `app billing setup`."""
    with log.open("ab") as file:
        subprocess.run(
            [sys.executable, "-m", "app.cli.main", "billing", "setup", "--yes"],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            timeout=SETUP_SECONDS,
            check=False,
        )


dev_service = DevService(
    name="stripe",
    is_wanted=_is_wanted,
    run=_run,
    find=server_file.read,
    started=(
        "STRIPE_SECRET_KEY is not set: payments go to a fake of Stripe on {STRIPE_API_BASE}. No money moves.\n"
        "Move its clock with `uv run app billing clock +1month`."
    ),
)
