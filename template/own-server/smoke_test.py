"""Checks a release from inside its container: first alone, then through the proxy. Add requests that matter to your users.

`own-server/deploy` passes this file to the container's Python, with the argument `alone` or `proxy`. If a check fails, the
earlier release goes on serving.
"""

import os
import ssl
import sys
import time
import urllib.error
import urllib.request

CHECKS = ((200, "/public/health/ready"), (200, "/public/health"), (404, "/public/smoke-test"))
"""The expected statuses of GET requests."""
TIMEOUT = 60.0
"""Seconds. When a server is new, Caddy has to obtain its certificate first."""


def status_of(url: str, context: ssl.SSLContext) -> int:
    """Return the status of a GET request. Retry while there is no connection."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10, context=context) as response:  # noqa: S310 - the caller's URL
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"GET {url}: {error}")
            time.sleep(1)


def main(target: str) -> None:
    """Send all requests, and exit with a message if an answer differs."""
    base = os.environ["PUBLIC_URL"] if target == "proxy" else "http://127.0.0.1:8000"
    # A certificate authority of your own: its certificate in PEM.
    context = ssl.create_default_context(cadata=os.environ.get("SMOKE_TEST_CA") or None)
    for expected, path in CHECKS:
        url = base + os.environ.get("API_V1_STR", "/api/v1") + path
        status = status_of(url, context)
        if status != expected:
            sys.exit(f"GET {url} answered {status} instead of {expected}.")


main(sys.argv[1])
