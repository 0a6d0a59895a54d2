"""A web server on the loopback interface, in a thread of its own, that answers as a test says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import override


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A request as it came in; the headers' names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A response. With `pace`, the server waits before each byte until the event is set or the seconds are over."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pace: tuple[threading.Event, float] | None = None


type Answer = Callable[[Received], Reply]


class FakeServer:
    """A server at `url`, which records its requests in `requests`."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[Received] = []
        self._answer = answer
        self._port = 0
        self._running: tuple[ThreadingHTTPServer, threading.Thread] | None = None

    @property
    def url(self) -> str:
        """The server's URL, the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen for connections."""
        server = _server(self._port, self._handle)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self._port = server.server_address[1]
        self._running = server, thread

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._running is not None:
            server, thread = self._running
            server.shutdown()
            server.server_close()
            thread.join()
            self._running = None

    def _handle(self, request: Received) -> Reply:
        self.requests.append(request)
        return self._answer(request)


@contextmanager
def serving(answer: Answer) -> Iterator[FakeServer]:
    """A server that is up for the block."""
    server = FakeServer(answer)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _server(port: int, handle: Answer) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = handle(Received(method=self.command, path=self.path, headers=headers, body=body))
            try:
                self._send(reply)
            except OSError:
                # The client has lost its patience.
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if reply.pace is None:
                self.wfile.write(reply.body)
                return
            event, seconds = reply.pace
            for byte in reply.body:
                event.wait(seconds)
                self.wfile.write(bytes([byte]))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - the base class looks for these names

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    return server
