"""The HTTP server of the fake App Store.

| Path | Meaning |
|---|---|
| `/production/inApps/…`, `/sandbox/inApps/…` | the App Store Server API, in its two environments |
| `/ocsp` | the OCSP responder |
| `/_fake/…` | what Apple doesn't have: purchases, the clock, faults |
"""

import json
from typing import override
from urllib.parse import parse_qs, urlsplit

from app.dev.servers.app_store.control import answer_subscriptions
from app.dev.servers.app_store.store import ApiError, AppStore
from app.dev.servers.fake_http import JSON, Reply, document
from app.dev.servers.fake_store import FakeStoreServer


class AppStoreServer(FakeStoreServer[AppStore]):
    """Server of a fake App Store. See `FakeStoreServer`."""

    def __init__(self, port: int = 0, *, webhook: str | None = None) -> None:
        super().__init__(port, webhook=webhook)
        self.store = AppStore(url=self.url, send=self._send)

    def _send(self, signed: str) -> bool:
        return self.post(document({"signedPayload": signed}), {"Content-Type": JSON})

    @override
    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case ["ocsp"] if method == "POST":
                return self._certificate_status(body)
            case ["production" | "sandbox" as environment, "inApps", *rest]:
                token = headers.get("authorization", "")
                return self._api((method, *rest), query, token, body, sandbox=environment == "sandbox")
            case ["_fake", *rest]:
                return self.control(method, rest, headers, body, answer_subscriptions)
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
