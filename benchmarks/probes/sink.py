"""A server that accepts every POST, in place of Sentry and of a collector: `sink.py PORT`."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Read the body, and answer with 200."""

    def do_GET(self) -> None:
        """Answer the check for readiness."""
        self._answer()

    def do_POST(self) -> None:
        """Accept a body."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer()

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
