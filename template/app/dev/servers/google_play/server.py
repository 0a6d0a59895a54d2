"""The HTTP server of the fake Google Play.

| Path | Meaning |
|---|---|
| `/token` | the token endpoint of the service account |
| `/oauth2/v3/certs` | the public keys of the push requests' tokens |
| `/androidpublisher/v3/…` | the Google Play Developer API |
| `/_fake/…` | what Google doesn't have: purchases, the clock, faults |
"""

import json
from collections.abc import Mapping
from typing import Final, override
from urllib.parse import parse_qs, unquote, urlsplit

from app.dev.servers.fake_http import Reply, document
from app.dev.servers.fake_store import FakeStoreServer
from app.dev.servers.google_play.control import answer_subscriptions
from app.dev.servers.google_play.store import PACKAGE, ApiError, GooglePlay

ACTIONS: Final = frozenset({"acknowledge", "cancel"})


class GooglePlayServer(FakeStoreServer[GooglePlay]):
    """Server of a fake Google Play. See `FakeStoreServer`."""

    def __init__(self, port: int = 0, *, webhook: str | None = None) -> None:
        super().__init__(port, webhook=webhook)
        self.store = GooglePlay(url=self.url, send=self._send)

    def _send(self, headers: Mapping[str, str], body: bytes) -> bool:
        return self.post(body, headers)

    @override
    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
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
                return self.control(method, rest, headers, body, answer_subscriptions)
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
