"""A fake of Google Play: the Developer API, the token endpoint, and notifications through Pub/Sub."""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, override

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.dev.servers.fake_http import Delivery, document
from app.dev.servers.fake_store import FakeStore
from app.dev.servers.google_play.objects import Message, State, Subscription
from app.dev.servers.google_play.payloads import iso, purchase_body, voided_body
from app.dev.servers.google_play.subscriptions import FORGET_AFTER, Subscriptions

PACKAGE: Final = "com.example.app"
ACCOUNT: Final = "play@example.iam.gserviceaccount.com"
SENDER: Final = "pubsub@example.iam.gserviceaccount.com"
AUDIENCE: Final = "https://api.example.com/google"
ISSUER: Final = "https://accounts.google.com"
SCOPE: Final = "https://www.googleapis.com/auth/androidpublisher"
KEY_ID: Final = "play-key"
PUSH_KEY_ID: Final = "push-key"
TOKEN_SECONDS: Final = 3600
PAGE: Final = 100
KEY_BITS: Final = 2048


class ApiError(Exception):
    """An error of the Google Play Developer API."""

    def __init__(self, status: int, reason: str, message: str = "It failed.") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def body(self) -> dict[str, object]:
        """The body of the response."""
        detail = {"message": str(self), "domain": "androidpublisher", "reason": self.reason}
        return {"error": {"code": self.status, "message": str(self), "errors": [detail]}}


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


@dataclass(kw_only=True)
class GooglePlay(FakeStore[Subscriptions, Message]):
    """The state of the fake.

    Attributes:
        send: deliver a push request (headers, body), and return whether the receiver accepted it.
        fault: the error in the response to each API request, instead of the real response.
        token_fault: the status of each response of the token endpoint.
        tokens: the access tokens that were issued, and when they expire.
        calls: the changes that were requested: the action, the token and the body.
    """

    send: Callable[[Mapping[str, str], bytes], bool] = lambda _headers, _body: False
    state: Subscriptions = field(default_factory=Subscriptions)
    fault: ApiError | None = None
    token_fault: int | None = None
    tokens: dict[str, float] = field(default_factory=dict)
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=_key)
    push_key: rsa.RSAPrivateKey = field(default_factory=_key)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of an application that uses this Google Play."""
        account = {
            "type": "service_account",
            "private_key_id": KEY_ID,
            "private_key": self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "client_email": ACCOUNT,
            "token_uri": f"{self.url}/token",
        }
        return {
            "GOOGLE_PLAY_PACKAGE_NAME": PACKAGE,
            "GOOGLE_PLAY_SERVICE_ACCOUNT_JSON": base64.b64encode(json.dumps(account).encode()).decode(),
            "GOOGLE_PUBSUB_AUDIENCE": AUDIENCE,
            "GOOGLE_PUBSUB_SERVICE_ACCOUNT": SENDER,
            "GOOGLE_PLAY_API_URL": self.url,
        }

    def reset(self) -> None:
        """Forget every subscription, message, token and fault. The keys stay."""
        with self._lock:
            self.begin(Subscriptions())
            self.delivery = Delivery.NORMAL
            self.fault, self.token_fault = None, None
            self.tokens.clear()
            self.calls.clear()

    @property
    @override
    def notifications(self) -> Sequence[Message]:
        return self.state.messages

    @override
    def notify(self, notification: Message, mode: Delivery) -> None:
        for _ in range(0 if mode is Delivery.DROP else 2 if mode is Delivery.REPEAT else 1):
            self.send(self.push_headers(), push_body(notification))

    def push_headers(self, **claims: object) -> dict[str, str]:
        """Return the headers of a push request. The arguments replace claims of its token."""
        return {"Authorization": f"Bearer {self.push_token(**claims)}", "Content-Type": "application/json"}

    def push_token(self, **claims: object) -> str:
        """Return the token of a push request. The arguments replace its claims; `None` removes one."""
        now = int(time.time())
        normal = {
            "aud": AUDIENCE,
            "azp": "1142",
            "email": SENDER,
            "email_verified": True,
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "iss": ISSUER,
            "sub": "1142",
        }
        payload = {name: value for name, value in {**normal, **claims}.items() if value is not None}
        return jwt.encode(payload, self.push_key, algorithm="RS256", headers={"kid": PUSH_KEY_ID})

    def key_set(self) -> dict[str, object]:
        """Return the public keys of the push tokens (RFC 7517)."""
        key: dict[str, object] = jwt.algorithms.RSAAlgorithm.to_jwk(self.push_key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": PUSH_KEY_ID, "use": "sig", "alg": "RS256"}]}

    def issue_token(self, form: Mapping[str, str]) -> dict[str, object]:
        """Exchange an assertion for an access token (RFC 7523).

        Raises:
            ApiError: the assertion is not accepted.
        """
        try:
            claims = jwt.decode(
                form.get("assertion", ""), self.key.public_key(), algorithms=["RS256"], audience=f"{self.url}/token"
            )
        except jwt.PyJWTError:
            raise ApiError(400, "invalid_grant") from None
        if (
            claims.get("iss") != ACCOUNT
            or claims.get("scope") != SCOPE
            or claims["exp"] - claims["iat"] > TOKEN_SECONDS
        ):
            raise ApiError(400, "invalid_grant")
        with self._lock:
            token = f"ya29.fake-{len(self.tokens)}"
            self.tokens[token] = time.time() + TOKEN_SECONDS
        return {"access_token": token, "expires_in": TOKEN_SECONDS - 1, "token_type": "Bearer"}

    def check_token(self, authorization: str) -> None:
        """Check the access token of a request.

        Raises:
            ApiError: 401.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or self.tokens.get(token, 0) < time.time():
            raise ApiError(401, "authError", "Invalid Credentials")

    def purchase(self, token: str) -> dict[str, object]:
        """Answer `purchases.subscriptionsv2.get`."""
        with self._lock:
            return purchase_body(self.state, self._find(token))

    def change(self, action: str, token: str, body: dict[str, Any]) -> dict[str, object]:
        """Answer `purchases.subscriptions.acknowledge` and `cancel`."""
        with self.changing() as state:
            item = self._find(token)
            self.calls.append((action, token, body))
            if action == "acknowledge":
                account = body.get("externalAccountIds", {}).get("obfuscatedAccountId")
                if account is not None and item.expired_token is None:
                    raise ApiError(400, "invalidValue", "Only purchases outside the app may be given an account.")
                item.account, item.acknowledged = item.account or account, True
            elif item.state in {State.PENDING, State.EXPIRED, State.PENDING_PURCHASE_CANCELED}:
                raise ApiError(400, "subscriptionNotCancelable")
            else:
                state.cancel(item)
        return {}

    def voided_purchases(self, query: Mapping[str, str]) -> dict[str, object]:
        """Answer `purchases.voidedpurchases.list`, in pages."""
        if query.get("type") != "1":
            return {}
        since = datetime.fromtimestamp(int(query.get("startTime", "0")) / 1000, UTC)
        with self._lock:
            found = [voided_body(each) for each in self.state.voided if each.at >= since]
        first = int(query.get("token", "0"))
        more = {"tokenPagination": {"nextPageToken": str(first + PAGE)}} if first + PAGE < len(found) else {}
        return {"voidedPurchases": found[first : first + PAGE], **more}

    def _find(self, token: str) -> Subscription:
        item = self.state.items.get(token)
        if item is None:
            raise ApiError(404, "purchaseTokenNotFound", "The purchase token was not found.")
        if item.state is State.EXPIRED and item.expires and item.expires + FORGET_AFTER < self.state.now:
            raise ApiError(410, "purchaseTokenNoLongerValid", "The purchase token is no longer valid.")
        return item


def push_body(message: Message, package: str = PACKAGE) -> bytes:
    """Return the body of the push request of a notification."""
    data = {"version": "1.0", "packageName": package, "eventTimeMillis": f"{message.at.timestamp() * 1000:.0f}"}
    encoded = base64.b64encode(document({**data, **message.content})).decode()
    return document(
        {
            "message": {
                "data": encoded,
                "messageId": message.id,
                "message_id": message.id,
                "publishTime": iso(message.at),
            },
            "subscription": "projects/example/subscriptions/google-play",
        }
    )
