"""The HTTP server of a fake that runs in a thread, and the ways in which it delivers its notifications."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, override

JSON: Final = "application/json"
MAX_BODY: Final = 1024 * 1024


class Delivery(StrEnum):
    """The treatment of new notifications."""

    NORMAL = "normal"
    REPEAT = "repeat"
    """Each is sent twice."""
    HOLD = "hold"
    """They are delayed until the mode changes."""
    REORDER = "reorder"
    """They are delayed until the mode changes, and then sent in the reverse order."""
    DROP = "drop"
    """They are lost."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response."""

    status: int
    body: bytes = b""
    content_type: str = JSON


def document(value: object) -> bytes:
    """Return JSON."""
    return json.dumps(value).encode()


type Answer = Callable[[str, str, dict[str, str], bytes], Reply]
"""A function that responds to a request: method, target, headers with names in lower case, body."""


def http_server(port: int, answer: Answer) -> ThreadingHTTPServer:
    """Return a server on the loopback interface, which the caller runs and closes.

    Args:
        port: 0 for any free one.
    """

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            length = min(int(self.headers.get("Content-Length", "0")), MAX_BODY)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(self.command, self.path, headers, self.rfile.read(length))
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = _respond  # noqa: N815 - the names that the base class calls

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    return server
