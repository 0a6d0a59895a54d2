"""A server that receives what Sentry would: envelopes (https://develop.sentry.dev/sdk/foundations/transport/envelopes/).

`python -m tests.sentry.envelopes [PORT]` prints the errors and transactions that it receives.
"""

import gzip
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sentry_sdk.envelope import Envelope

KEY = "0123456789abcdef0123456789abcdef"
TIMEOUT = 10.0
PORT = 9999


class Envelopes:
    """The received envelopes.

    Attributes:
        raw: their bytes.
        delay: seconds before the server answers.
        body: the parts of the answers' body.
        answer_headers: more headers of the answers. Without a length, a body ends with the connection.
        sent: the bytes of the bodies that were sent.
        port: of the server, on the loopback interface.
    """

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.delay = 0.0
        self.body: Iterable[bytes] = (b"{}",)
        self.answer_headers: Mapping[str, str] = {"content-length": "2"}
        self.sent = 0
        self.port = 0

    @property
    def dsn(self) -> str:
        """The address for `SENTRY_DSN`."""
        return f"http://{KEY}@127.0.0.1:{self.port}/42"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The received payloads of a kind: "event" or "transaction"."""
        items = [item for raw in tuple(self.raw) for item in Envelope.deserialize(raw).items]
        return [item.payload.json for item in items if item.type == kind and item.payload.json is not None]

    def wait(self, kind: str, count: int) -> list[dict[str, Any]]:
        """Return the payloads of a kind once there are so many."""
        end = time.monotonic() + TIMEOUT
        while len(found := self.of(kind)) < count:
            assert time.monotonic() < end, (kind, found)
            time.sleep(0.01)
        return found


@contextmanager
def receiving(port: int = 0) -> Iterator[Envelopes]:
    """Run a server to the end of the block, by default on a free port."""
    envelopes = Envelopes()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/api/42/envelope/"
            assert KEY in self.headers["x-sentry-auth"]
            envelopes.raw.append(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            time.sleep(envelopes.delay)
            self.send_response(200)
            for name, value in envelopes.answer_headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                for part in envelopes.body:
                    self.wfile.write(part)
                    envelopes.sent += len(part)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    envelopes.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield envelopes
    finally:
        server.shutdown()
        server.server_close()


def main(arguments: list[str]) -> None:
    """Print each error and transaction until the program is stopped."""
    with receiving(int(arguments[0]) if arguments else PORT) as envelopes:
        sys.stdout.write(f"SENTRY_DSN={envelopes.dsn}\n")
        sys.stdout.flush()
        while True:
            time.sleep(0.1)
            received = [*envelopes.of("event"), *envelopes.of("transaction")]
            envelopes.raw.clear()
            for each in received:
                sys.stdout.write(f"{each.get('type', 'error')}: {each.get('transaction')} {each.get('tags')}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
