"""The HTTP server of the fake App Store.

| Path | Meaning |
|---|---|
| `/production/inApps/…`, `/sandbox/inApps/…` | the App Store Server API, in its two environments |
| `/ocsp` | the OCSP responder |
| `/_fake/…` | what Apple doesn't have: purchases, the clock, faults |
"""

import json
import threading
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from app.dev.servers.app_store.control import answer_control
from app.dev.servers.app_store.store import ApiError, AppStore, document
from app.dev.servers.fake_http import JSON, Reply, http_server

SEND_TIMEOUT: Final = 15


class AppStoreServer:
    """Serve an App Store on the loopback interface, in a thread of its own, until the end of the `with` block.

    Args:
        port: 0 for any free one.
        webhook: the URL that notifications are sent to.
    """

    def __init__(self, port: int = 0, *, webhook: str | None = None) -> None:
        self._server = http_server(port, self._answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.webhook = webhook
        self.store = AppStore(url=self.url, send=self._send)
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

    def _send(self, signed: str) -> bool:
        if self.webhook is None:
            return False
        try:
            response = httpx.post(self.webhook, json={"signedPayload": signed}, timeout=SEND_TIMEOUT, trust_env=False)
        except httpx.HTTPError:
            return False
        return response.is_success

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case ["ocsp"] if method == "POST":
                return self._certificate_status(body)
            case ["production" | "sandbox" as environment, "inApps", *rest]:
                token = headers.get("authorization", "")
                return self._api((method, *rest), query, token, body, sandbox=environment == "sandbox")
            case ["_fake", *rest]:
                # No page of another origin can send this content type without the server's consent.
                if method == "POST" and headers.get("content-type") != JSON:
                    return Reply(415, document({"error": f"send {JSON}"}))
                return self._control(method, rest, body)
            case _:
                return Reply(404, document({}))

    def _certificate_status(self, body: bytes) -> Reply:
        store = self.store
        if store.ocsp_fault is not None:
            return Reply(store.ocsp_fault)
        return Reply(200, store.chain.certificate_status(body, store.revoked), "application/ocsp-response")

    def _api(self, request: tuple[str, ...], query: dict[str, str], token: str, body: bytes, *, sandbox: bool) -> Reply:
        try:
            self.store.authenticate(token)
            answer = self._answer_api(request, query, body, sandbox=sandbox)
        except ApiError as error:
            return Reply(error.status, document({"errorCode": error.code, "errorMessage": str(error)}))
        return Reply(200, document(answer))

    def _answer_api(
        self, request: tuple[str, ...], query: dict[str, str], body: bytes, *, sandbox: bool
    ) -> dict[str, object]:
        if self.store.fault is not None:
            raise ApiError(self.store.fault, self.store.fault_code, "A fault was requested.")
        match request:
            case ("GET", "v1", "subscriptions", id_):
                return self.store.statuses(id_, sandbox=sandbox)
            case ("POST", "v1", "notifications", "history"):
                return self.store.history(json.loads(body), query.get("paginationToken"), sandbox=sandbox)
            case _:
                raise ApiError(404, 4040000, "Not found.")

    def _control(self, method: str, path: list[str], body: bytes) -> Reply:
        try:
            answer = answer_control(self.store, method, path, json.loads(body or b"{}"))
        except (LookupError, TypeError, ValueError) as error:
            return Reply(400, document({"error": str(error)}))
        return Reply(200, document(answer))
