"""A fake of the App Store: the App Store Server API, its notifications and its certificate authority."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, override

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.dev.servers.app_store.certificates import Chain
from app.dev.servers.app_store.payloads import GROUP, Signer, environment, milliseconds
from app.dev.servers.app_store.subscriptions import Notification, Subscription, Subscriptions
from app.dev.servers.fake_http import Delivery
from app.dev.servers.fake_store import FakeStore

BUNDLE_ID: Final = "com.example.app"
APP_ID: Final = 1_234_567_890
ISSUER_ID: Final = "57246542-96fe-1a63-e053-0824d011072a"
KEY_ID: Final = "2X9R4HXF34"
AUDIENCE: Final = "appstoreconnect-v1"
MAX_TOKEN_AGE: Final = timedelta(hours=1)
PAGE: Final = 20
INTERNAL_ERROR: Final = 5000001


class ApiError(Exception):
    """An error of the App Store Server API."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(kw_only=True)
class AppStore(FakeStore[Subscriptions, Notification]):
    """The state of the fake.

    Attributes:
        send: deliver a signed notification, and return whether the receiver accepted it.
        fault: the status of the response to each API request, instead of the real response.
        fault_code: the error code in it.
        ocsp_fault: the same for the OCSP responder.
        revoked: the serial numbers of revoked certificates.
        failed: the ids of the notifications that did not arrive.
    """

    send: Callable[[str], bool] = lambda _signed: False
    state: Subscriptions = field(default_factory=Subscriptions)
    fault: int | None = None
    fault_code: int = INTERNAL_ERROR
    ocsp_fault: int | None = None
    revoked: frozenset[int] = frozenset()
    failed: set[str] = field(default_factory=set)
    chain: Chain = field(init=False)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        """Issue the certificates."""
        self.chain = Chain.create(f"{self.url}/ocsp")
        self.signer = Signer(chain=self.chain, bundle_id=BUNDLE_ID, app_id=APP_ID)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of an application that uses this App Store."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "APPLE_BUNDLE_ID": BUNDLE_ID,
            "APPLE_APP_ID": str(APP_ID),
            "APPLE_ISSUER_ID": ISSUER_ID,
            "APPLE_KEY_ID": KEY_ID,
            "APPLE_PRIVATE_KEY": key.replace("\n", "\\n"),
            "APPLE_API_URL": self.url,
            "APPLE_ROOT_SHA256": self.chain.root.fingerprint,
        }

    def reset(self) -> None:
        """Forget every subscription, notification and fault. The certificates and the key stay."""
        with self._lock:
            self.begin(Subscriptions())
            self.delivery = Delivery.NORMAL
            self.fault, self.fault_code, self.ocsp_fault, self.revoked = None, INTERNAL_ERROR, None, frozenset()
            self.failed.clear()

    def signed_transaction(self, item: Subscription) -> str:
        """Return a subscription's last transaction, as a device receives it."""
        with self._lock:
            return self.signer.transaction(item, self.state.now)

    @property
    @override
    def notifications(self) -> Sequence[Notification]:
        return self.state.notifications

    @override
    def notify(self, notification: Notification, mode: Delivery) -> None:
        signed = self.signer.notification(notification)
        arrived = mode is not Delivery.DROP and self.send(signed)
        if mode is Delivery.REPEAT:
            self.send(signed)
        with self._lock:
            (self.failed.discard if arrived else self.failed.add)(notification.id)

    def statuses(self, transaction_id: str, *, sandbox: bool) -> dict[str, object]:
        """Answer "Get All Subscription Statuses"."""
        with self._lock:
            if not transaction_id.isdecimal():
                raise ApiError(400, 4000006, "Invalid transaction id.")
            item = self.state.find(transaction_id)
            if item is None or item.sandbox != sandbox:
                raise ApiError(404, 4040010, "Transaction id not found.")
            now = self.state.now
            last = {
                "originalTransactionId": item.original_id,
                "status": int(item.status),
                "signedTransactionInfo": self.signer.transaction(item, now),
                "signedRenewalInfo": self.signer.renewal_info(item, now),
            }
            group = {"subscriptionGroupIdentifier": GROUP, "lastTransactions": [last]}
            name = environment(sandbox=sandbox)
            return {"environment": name, "bundleId": BUNDLE_ID, "appAppleId": APP_ID, "data": [group]}

    def history(self, query: dict[str, object], token: str | None, *, sandbox: bool) -> dict[str, object]:
        """Answer "Get Notification History", in pages of 20."""
        start, end = query.get("startDate"), query.get("endDate")
        if not isinstance(start, int) or not isinstance(end, int) or start >= end:
            raise ApiError(400, 4000013, "The start date must be before the end date.")
        with self._lock:
            found = [
                each
                for each in self.state.notifications[: self._sent]
                if each.sandbox == sandbox
                and start <= milliseconds(each.at)
                and (each.id in self.failed or not query.get("onlyFailures"))
            ]
            first = int(token or 0)
            page = [{"signedPayload": self.signer.notification(each)} for each in found[first : first + PAGE]]
        more = first + PAGE < len(found)
        next_page = {"paginationToken": str(first + PAGE)} if more else {}
        return {"notificationHistory": page, "hasMore": more, **next_page}

    def authenticate(self, authorization: str) -> None:
        """Check the bearer token of a request (https://developer.apple.com/documentation/appstoreserverapi).

        Raises:
            ApiError: 401.
        """
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme != "Bearer" or jwt.get_unverified_header(token).get("kid") != KEY_ID:
                raise ApiError(401, 4010000, "Unauthenticated.")
            claims = jwt.decode(token, self.key.public_key(), algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER_ID)
        except jwt.PyJWTError:
            raise ApiError(401, 4010000, "Unauthenticated.") from None
        lifetime = datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC)
        if claims.get("bid") != BUNDLE_ID or lifetime > MAX_TOKEN_AGE:
            raise ApiError(401, 4010000, "Unauthenticated.")
