"""The process of a fake that `app dev` runs, and the file with the settings that lead to it."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.core.config.settings import core_settings
from app.dev.servers.announcement import NAME, announce, announced_settings
from app.dev.servers.children import command_line, log_tail, start, stop

START_SECONDS: Final = 20


@contextmanager
def fake_process(module: str, folder: Path, *arguments: str) -> Iterator[Mapping[str, str]]:
    """Run `python -m MODULE FOLDER ARGUMENT…` until the end of the block, and yield the settings that it announces.

    Call this from the main thread: on Linux the process ends with the thread that started it.

    Raises:
        OSError: it doesn't start; the message says why.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    (folder / NAME).unlink(missing_ok=True)
    process = start(command_line([sys.executable, "-m", module, str(folder), *arguments]), log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while (found := announced_settings(folder)) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"{module} did not start:\n{log_tail(log)}")
            time.sleep(0.01)
        yield found
    finally:
        stop(process)


def webhook_url(url: str, provider: str) -> str:
    """Return the URL of a provider's webhook.

    Args:
        url: the application's, without the prefix of its routes.
    """
    return f"{url}{core_settings().API_V1_STR}/public/webhooks/{provider}"


@contextmanager
def announcing(folder: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Announce the settings that lead to this process, until the end of the block."""
    announce(folder, settings)
    try:
        yield
    finally:
        (folder / NAME).unlink(missing_ok=True)
