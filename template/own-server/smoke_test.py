"""Checks a release from inside its container: first alone, then through the proxy.

`own-server/deploy` passes this file to the container's Python, with two arguments: `alone`, `reached` or `proxy`, and
the slot. If a check fails, the earlier release goes on serving. Add requests that matter to your users.
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


def wait_for_proxy(slot: str, context: ssl.SSLContext) -> None:
    """Wait until the proxy sends requests to a slot."""
    url = os.environ["PUBLIC_URL"] + os.environ.get("API_V1_STR", "/api/v1") + "/public/health"
    request = urllib.request.Request(url, headers={"X-Slot": "?"})  # noqa: S310 - our own URL
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with urllib.request.urlopen(request, timeout=10, context=context) as response:  # noqa: S310 - our own URL
            if response.headers["X-Slot"] == f"app-{slot}:8000":
                return
        time.sleep(0.2)
    sys.exit(f"The proxy sends no requests to {slot}.")


def main(target: str, slot: str) -> None:
    """Run one check, and exit with a message if it fails."""
    # A certificate authority of your own: its certificate in PEM.
    context = ssl.create_default_context(cadata=os.environ.get("SMOKE_TEST_CA") or None)
    if target == "reached":
        wait_for_proxy(slot, context)
        return
    base = os.environ["PUBLIC_URL"] if target == "proxy" else "http://127.0.0.1:8000"
    for expected, path in CHECKS:
        url = base + os.environ.get("API_V1_STR", "/api/v1") + path
        status = status_of(url, context)
        if status != expected:
            sys.exit(f"GET {url} answered {status} instead of {expected}.")


main(*sys.argv[1:])
