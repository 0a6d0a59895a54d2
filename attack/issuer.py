"""An issuer of tokens whose JWKS is away, slow or huge, and then publishes and rotates its keys."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from attack.servers import Target, get, serve, unused_port

# Runs in the project, which has the library that signs tokens.
SIGN = """
import json, sys, time
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
issuer, keys, tokens = sys.argv[1], [], []
for kid in ("first", "second"):
    key = ec.generate_private_key(ec.SECP256R1())
    keys.append({**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": kid, "alg": "ES256"})
    claims = {"iss": issuer, "aud": "attack", "sub": "attacked", "email": "issuer@example.com"}
    claims |= {"email_verified": True, "iat": int(time.time()), "exp": int(time.time()) + 900}
    tokens.append(jwt.encode(claims, key, "ES256", headers={"kid": kid}))
print(json.dumps([keys, tokens]))
"""
FAULTS = ("away", "slow", "huge")
RETRY_SECONDS = 5.5
"""A little longer than the application's pause after a failed download."""
SLOWEST = 6.0
"""Seconds within which every request is answered: the deadline of a download is three."""
HUGE = 64 * 1024 * 1024
OK, UNAUTHORIZED, UNAVAILABLE = 200, 401, 503


class Issuer(BaseHTTPRequestHandler):
    """The issuer's key set, in one of the forms of `FAULTS`, or as the keys themselves."""

    mode: ClassVar[str] = "away"
    keys: ClassVar[list[dict[str, str]]] = []
    sent: ClassVar[int] = 0
    """Bytes of the huge answer that the application took."""

    def do_GET(self) -> None:
        """Answer, or misbehave."""
        if self.mode == "away":
            return
        content = json.dumps({"keys": self.keys}).encode()
        self.send_response(OK)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        with suppress(OSError):
            if self.mode == "slow":
                for _ in range(100):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
            while self.mode == "huge" and Issuer.sent < HUGE:
                Issuer.sent += self.wfile.write(b" " * 65536)
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def misbehave(target: Target) -> list[str]:
    """Serve the project with an issuer that misbehaves in each way. Return what failed."""
    with _issuer() as address, tempfile.TemporaryDirectory(prefix="omnistack-issuer-") as temporary:
        command = [str(target.project / ".venv" / "bin" / "python"), "-c", SIGN, address]
        keys, tokens = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        own = {"AUTH_PROVIDER": "custom", "OAUTH_JWKS_URL": f"{address}/jwks.json"}
        own |= {"OAUTH_ISSUER": address, "OAUTH_AUDIENCE": "attack"}
        log = Path(temporary) / "server.log"
        with serve(target.project, target.environment | own, port=unused_port(), log=log) as (url, _):
            failed = [problem for fault in FAULTS for problem in _fault(url, fault, tokens[0])]
            Issuer.mode, Issuer.keys = "keys", keys[:1]
            failed += _expect(url, "published", tokens[0], OK)
            failed += _expect(url, "unknown", tokens[1], UNAUTHORIZED)
            Issuer.keys = keys[1:]
            # The pause between two downloads because of an unknown key.
            time.sleep(10.5)
            failed += _expect(url, "rotated", tokens[1], OK)
            failed += _expect(url, "withdrawn", tokens[0], UNAUTHORIZED)
            Issuer.mode = "away"
            failed += _expect(url, "away, with keys held", tokens[1], OK)
        text = log.read_text(encoding="utf-8", errors="replace")
    # Several attempts, each with what the sockets hold: some megabytes. A whole answer would be all of it.
    if Issuer.sent > HUGE // 2:
        failed.append(f"JWKS huge: {Issuer.sent} bytes were downloaded")
    if "Traceback (most recent call last)" in text or "unhandled" in text:
        failed.append(f"JWKS: the server's log has an unhandled error:\n{text[-2000:]}")
    return failed


def _fault(url: str, fault: str, token: str) -> list[str]:
    """Send a request that has to download the keys, and meanwhile one that does not."""
    Issuer.mode = fault
    failed: list[str] = []
    thread = threading.Thread(target=lambda: failed.extend(_expect(url, fault, token, UNAVAILABLE)))
    thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    get(f"{url}/api/v1/public/health")
    if time.monotonic() - started > 1:
        failed.append(f"JWKS {fault}: other requests wait")
    thread.join()
    time.sleep(RETRY_SECONDS)
    return failed


def _expect(url: str, state: str, token: str, expected: int) -> list[str]:
    started = time.monotonic()
    try:
        status, _ = get(f"{url}/api/v1/app/users/me", token=token, timeout=SLOWEST)
    except OSError as error:
        return [f"JWKS {state}: no answer within {SLOWEST:.0f} s ({type(error).__name__})"]
    sys.stdout.write(f"JWKS {state}: {status} after {time.monotonic() - started:.1f} s\n")
    return [] if status == expected else [f"JWKS {state}: answered with {status} instead of {expected}"]


@contextmanager
def _issuer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
