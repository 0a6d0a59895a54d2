"""The server process of `app dev`, which is replaced whenever the code changes.

It starts early and imports the application while the database starts, reads one line with its settings from a pipe,
serves on a socket that outlives it, and ends when the other end of the pipe is closed.
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
    """uvicorn's server, which prints the greeting once it answers."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`."""
        await super().startup(sockets)
        if self.started and self._greeting:
            print(self._greeting, flush=True)  # noqa: T201 - for the terminal


def main(arguments: list[str]) -> int:
    """Serve on the socket and read from the pipe whose file descriptors are given."""
    # Until the server handles signals, Ctrl-C ends this process silently.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listener, pipe = socket.socket(fileno=int(arguments[0])), os.fdopen(int(arguments[1]), "rb")
    from app.main import create_app  # noqa: PLC0415 - slow; the database starts meanwhile

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
    """End this process when the one that started it has ended. A killed process closes the pipe, too."""
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
