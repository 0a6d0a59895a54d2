"""The process of the fake that `app dev` starts: `python -m app.dev.servers.google_play.process FOLDER WEBHOOK_URL`.

It keeps its subscriptions in the folder. Its keys are new with each start.
"""

import signal
import sys
from pathlib import Path
from threading import Event
from typing import Final

from app.dev.servers.fake_process import announcing
from app.dev.servers.google_play.server import GooglePlayServer
from app.dev.servers.google_play.subscriptions import Subscriptions

STATE: Final = "subscriptions.json"


def main(folder: Path, webhook: str) -> None:
    """Serve until this process is asked to end."""
    file, stop = folder / STATE, Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with GooglePlayServer(webhook=webhook) as server:
        if file.exists():
            server.store.restore(Subscriptions.model_validate_json(file.read_bytes()))
        server.store.keep = lambda state: _write(file, state)
        with announcing(folder, server.store.settings):
            stop.wait()


def _write(file: Path, state: Subscriptions) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(state.model_dump_json(), encoding="utf-8")
    fresh.replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
