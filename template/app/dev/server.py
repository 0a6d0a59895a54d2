"""The server behind `app dev`: one process, replaced whenever the code changes.

It is started early, imports the application while the database is being made ready, waits for a line with what it
needs, serves on a socket that outlives it, and ends as soon as nobody holds the other end of the pipe any more.
"""

import json
import os
import signal
import socket
import sys
from threading import Thread

import uvicorn

from app.core.config.settings import ConfigurationError
from app.dev.supervisor import GRACE_SECONDS, NOT_CONFIGURED, Start


class DevServer(uvicorn.Server):
    """Says hello when it answers, not before."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`."""
        await super().startup(sockets)
        if self.started and self._greeting:
            print(self._greeting, flush=True)  # noqa: T201 - this is the terminal's


def main(arguments: list[str]) -> int:
    """Serves on the socket and listens to the pipe whose descriptors are given."""
    # Until the server takes over, Ctrl-C ends this without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listener, pipe = socket.socket(fileno=int(arguments[0])), os.fdopen(int(arguments[1]), "rb")
    from app.main import create_app  # noqa: PLC0415 - takes a while, which is when the database starts

    line = pipe.readline()
    if not line:
        return 0
    start = Start(**json.loads(line))
    Thread(target=end_when_abandoned, args=(pipe.fileno(),), daemon=True).start()
    os.environ.update(start.variables)
    try:
        application = create_app()
    except ConfigurationError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return NOT_CONFIGURED
    config = uvicorn.Config(
        application,
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    DevServer(config, start.greeting).run(sockets=[listener])
    return 0


def end_when_abandoned(pipe: int) -> None:
    """Ends this process with the one that has started it, however that came about."""
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
