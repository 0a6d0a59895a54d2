"""The fake of Stripe as a server that `app dev` runs while there is no key."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, cast

from app.core.config.settings import core_settings, load_settings
from app.dev.servers.announcement import announced_settings
from app.dev.servers.children import command_line, log_tail, start, stop
from app.dev.servers.dev_service import DevService
from app.dev.servers.stripe import server_file
from app.kit.environment import in_environment
from app.migrate.database_settings import database_settings
from app.stripe.settings import StripeSettings

START_SECONDS: Final = 20
# Importing them would slow down every command.
SERVER: Final = "app.dev.servers.stripe.server"
APP: Final = "app.cli.main"


def _is_wanted() -> bool:
    if not database_settings().is_local:
        return False
    settings = cast("StripeSettings", load_settings([StripeSettings])[StripeSettings])
    return not settings.STRIPE_SECRET_KEY.get_secret_value()


@contextmanager
def _run(folder: Path, url: str) -> Iterator[Mapping[str, str]]:
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    server_file.remove(folder)
    webhook = f"{url}{core_settings().API_V1_STR}/public/webhooks/stripe"
    process = start(command_line([sys.executable, "-m", SERVER, str(folder), webhook]), log)
    try:
        found = _wait_until_ready(folder, process, log)
        with _set_up(folder, found, url):
            yield found
    finally:
        stop(process)


def _wait_until_ready(folder: Path, process: subprocess.Popen[bytes], log: Path) -> Mapping[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while (found := announced_settings(folder)) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"The fake of Stripe did not start:\n{log_tail(log)}")
        time.sleep(0.01)
    return found


@contextmanager
def _set_up(folder: Path, settings: Mapping[str, str], url: str) -> Iterator[None]:
    """Create the products and prices of plans.toml in a new account, like `app billing setup`, meanwhile."""
    if not (folder / server_file.NEW).exists():
        yield
        return
    command = command_line([sys.executable, "-m", APP, "billing", "setup", "--yes"])
    with ExitStack() as stack:
        for name, value in {**settings, "PUBLIC_URL": url}.items():
            stack.enter_context(in_environment(name, value))
        process = start(command, folder.with_name("stripe-setup.log"))
    try:
        yield
    finally:
        stop(process)


dev_service = DevService(
    name="stripe",
    is_wanted=_is_wanted,
    run=_run,
    find=announced_settings,
    started=(
        "STRIPE_SECRET_KEY is not set: payments go to a fake of Stripe on {STRIPE_API_BASE}. No money moves.\n"
        "Move its clock with `uv run app billing clock +1month`."
    ),
)
