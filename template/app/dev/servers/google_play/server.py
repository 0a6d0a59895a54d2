"""The HTTP server of the fake Google Play.

| Path | Meaning |
|---|---|
| `/token` | the token endpoint of the service account |
| `/oauth2/v3/certs` | the public keys of the push requests' tokens |
| `/androidpublisher/v3/…` | the Google Play Developer API |
| `/_fake/…` | what Google doesn't have: purchases, the clock, faults |
"""

import json
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from app.dev.servers.fake_http import JSON, Reply, http_server
from app.dev.servers.google_play.control import answer_control
from app.dev.servers.google_play.store import PACKAGE, ApiError, GooglePlay, document

SEND_TIMEOUT: Final = 15
ACTIONS: Final = frozenset({"acknowledge", "cancel"})


class GooglePlayServer:
    """Serve a Google Play on the loopback interface, in a thread of its own, until the end of the `with` block.

    Args:
        port: 0 for any free one.
        webhook: the URL that notifications are pushed to.
    """

    def __init__(self, port: int = 0, *, webhook: str | None = None) -> None:
        self._server = http_server(port, self._answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.webhook = webhook
        self.store = GooglePlay(url=self.url, send=self._send)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _send(self, headers: Mapping[str, str], body: bytes) -> bool:
        if self.webhook is None:
            return False
        try:
            response = httpx.post(self.webhook, content=body, headers=headers, timeout=SEND_TIMEOUT, trust_env=False)
        except httpx.HTTPError:
            return False
        return response.is_success

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        parts = urlsplit(target)
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        try:
            return self._route((method, *path), parts.query, headers, body)
        except ApiError as error:
            return Reply(error.status, document(error.body))

    def _route(self, request: tuple[str, ...], query: str, headers: dict[str, str], body: bytes) -> Reply:
        match request:
            case ("POST", "token"):
                return self._token(body)
            case ("GET", "oauth2", "v3", "certs"):
                return Reply(200, document(self.store.key_set()))
            case (method, "androidpublisher", "v3", "applications", package, "purchases", *rest):
                self.store.check_token(headers.get("authorization", ""))
                parameters = {name: values[0] for name, values in parse_qs(query).items()}
                return Reply(200, document(self._answer_api(package, (method, *rest), parameters, body)))
            case (method, "_fake", *rest):
                # No page of another origin can send this content type without the server's consent.
                if method == "POST" and headers.get("content-type") != JSON:
                    return Reply(415, document({"error": f"send {JSON}"}))
                return self._control(method, rest, body)
            case _:
                return Reply(404, document({}))

    def _token(self, body: bytes) -> Reply:
        if self.store.token_fault is not None:
            return Reply(self.store.token_fault, document({"error": "invalid_grant"}))
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return Reply(200, document(self.store.issue_token(form)))

    def _answer_api(
        self, package: str, request: tuple[str, ...], query: dict[str, str], body: bytes
    ) -> dict[str, object]:
        if self.store.fault is not None:
            raise self.store.fault
        if package != PACKAGE:
            raise ApiError(404, "applicationNotFound", "No application was found for the given package name.")
        match request:
            case ("GET", "subscriptionsv2", "tokens", token):
                return self.store.purchase(token)
            case ("GET", "voidedpurchases"):
                return self.store.voided_purchases(query)
            case ("POST", "subscriptions", _, "tokens", target) if target.rpartition(":")[2] in ACTIONS:
                token, _, action = target.rpartition(":")
                return self.store.change(action, token, json.loads(body or b"{}"))
            case _:
                raise ApiError(404, "notFound", "Not found.")

    def _control(self, method: str, path: list[str], body: bytes) -> Reply:
        try:
            answer = answer_control(self.store, method, path, json.loads(body or b"{}"))
        except (LookupError, TypeError, ValueError) as error:
            return Reply(400, document({"error": str(error)}))
        return Reply(200, document(answer))
