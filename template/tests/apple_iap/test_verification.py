"""Signed data: what is not signed by the App Store, for this app, is refused."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.apple_iap.errors import (
    InvalidSignedDataError,
    WrongAppError,
    WrongEnvironmentError,
)
from app.apple_iap.settings import ROOT_SHA256
from app.apple_iap.verification import MAX_HEADER, MAX_TRANSACTION, AppStoreVerifier
from app.dev.servers.app_store.certificates import INTERMEDIATE_OID, LEAF_OID, Certificate, Chain, encoded, issue
from app.dev.servers.app_store.payloads import Signer
from app.dev.servers.app_store.store import APP_ID, BUNDLE_ID, AppStore
from app.dev.servers.app_store.subscriptions import Subscription
from tests.apple_iap.conftest import Issue, verifier_of
from tests.payments.store_purchases import MONTHLY


@pytest.fixture
def item(app_store: AppStore) -> Subscription:
    return app_store.state.buy(MONTHLY, account="0198f2a8-0000-7000-8000-000000000001")


def parts(signed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the payload of a JWS."""
    return jwt.get_unverified_header(signed), jwt.decode(signed, options={"verify_signature": False})


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class TestGenuine:
    async def test_a_transaction_is_decoded(
        self, app_store: AppStore, item: Subscription, verifier: AppStoreVerifier
    ) -> None:
        transaction = await verifier.transaction(app_store.signed_transaction(item))

        assert transaction.originalTransactionId == item.original_id
        assert (transaction.productId, transaction.appAccountToken) == (MONTHLY, item.account)

    async def test_real_and_sandbox_purchases_are_decoded(
        self, app_store: AppStore, verifier: AppStoreVerifier
    ) -> None:
        bought = [app_store.state.buy(MONTHLY, sandbox=sandbox) for sandbox in (True, False)]
        signed = [app_store.signer.notification(each) for each in app_store.state.notifications]

        for each, item in zip(signed, bought, strict=True):
            data = (await verifier.notification(each)).data
            assert data is not None
            assert data.rawEnvironment == ("Sandbox" if item.sandbox else "Production")

    async def test_the_certificates_are_checked_once(
        self, app_store: AppStore, item: Subscription, verifier: AppStoreVerifier
    ) -> None:
        await verifier.transaction(app_store.signed_transaction(item))
        app_store.ocsp_fault = 500

        assert await verifier.transaction(app_store.signed_transaction(item))

    async def test_a_notification_of_an_unknown_type_is_decoded(
        self, app_store: AppStore, verifier: AppStoreVerifier
    ) -> None:
        app_store.state.announce("SOMETHING_NEW", "AND_MORE")
        (signed,) = map(app_store.signer.notification, app_store.state.notifications)

        notification = await verifier.notification(signed)
        assert (notification.rawNotificationType, notification.rawSubtype) == ("SOMETHING_NEW", "AND_MORE")
        assert notification.notificationType is None


class TestForged:
    @pytest.fixture
    def payload(self, app_store: AppStore, item: Subscription) -> dict[str, Any]:
        return parts(app_store.signed_transaction(item))[1]

    async def refused(self, verifier: AppStoreVerifier, signed: str) -> None:
        with pytest.raises(InvalidSignedDataError):
            await verifier.transaction(signed)

    async def test_an_own_chain(self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]) -> None:
        await self.refused(verifier, Chain.create(f"{app_store.url}/ocsp").sign(payload))

    async def test_an_own_chain_below_the_genuine_root(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]
    ) -> None:
        own = Chain.create(f"{app_store.url}/ocsp")
        x5c = [*own.x5c[:2], app_store.chain.x5c[2]]

        await self.refused(verifier, jwt.encode(payload, own.leaf.key, algorithm="ES256", headers={"x5c": x5c}))

    async def test_another_key_with_the_genuine_certificates(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]
    ) -> None:
        other = issue("Mallory").key

        await self.refused(
            verifier, jwt.encode(payload, other, algorithm="ES256", headers={"x5c": app_store.chain.x5c})
        )

    async def test_a_leaf_of_another_issuer(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]
    ) -> None:
        chain = app_store.chain
        own = Chain.create(f"{app_store.url}/ocsp")

        await self.refused(
            verifier, Chain(root=chain.root, intermediate=chain.intermediate, leaf=own.leaf).sign(payload)
        )

    async def test_a_certificate_that_a_genuine_leaf_signed(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        genuine = app_store.chain
        leaf = issue("Mallory", genuine.leaf, extension=LEAF_OID, ocsp_url=f"{app_store.url}/ocsp")
        chain = Chain(root=genuine.root, intermediate=genuine.leaf, leaf=leaf)
        monkeypatch.setattr(app_store, "chain", chain)

        await self.refused(verifier, chain.sign(payload))

    @pytest.mark.parametrize("number", [0, 1, 2, 4])
    async def test_another_number_of_certificates(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any], number: int
    ) -> None:
        chain = app_store.chain
        x5c = [*chain.x5c, chain.x5c[2]][4 - number :] if number == 4 else chain.x5c[3 - number :]

        await self.refused(verifier, jwt.encode(payload, chain.leaf.key, algorithm="ES256", headers={"x5c": x5c}))

    async def test_new_certificates_of_apple_are_accepted(
        self, verifier: AppStoreVerifier, payload: dict[str, Any], issued: Issue
    ) -> None:
        """Shows that the tests below are refused for the one thing that they change."""
        assert await verifier.transaction(issued().sign(payload))

    async def test_a_leaf_without_apples_extension(
        self, verifier: AppStoreVerifier, payload: dict[str, Any], issued: Issue
    ) -> None:
        await self.refused(verifier, issued(leaf=None).sign(payload))
        await self.refused(verifier, issued(leaf=INTERMEDIATE_OID).sign(payload))

    async def test_an_intermediate_without_apples_extension(
        self, verifier: AppStoreVerifier, payload: dict[str, Any], issued: Issue
    ) -> None:
        await self.refused(verifier, issued(intermediate=None).sign(payload))
        await self.refused(verifier, issued(intermediate=LEAF_OID).sign(payload))

    async def test_a_leaf_that_has_expired(
        self, verifier: AppStoreVerifier, payload: dict[str, Any], issued: Issue
    ) -> None:
        await self.refused(verifier, issued(leaf_ends=datetime.now(UTC) - timedelta(minutes=1)).sign(payload))

    async def test_an_intermediate_that_has_expired(
        self, verifier: AppStoreVerifier, payload: dict[str, Any], issued: Issue
    ) -> None:
        await self.refused(verifier, issued(intermediate_ends=datetime.now(UTC) - timedelta(minutes=1)).sign(payload))

    @pytest.mark.parametrize("revoked", ["leaf", "intermediate"])
    async def test_a_revoked_certificate(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any], revoked: str
    ) -> None:
        certificate: Certificate = getattr(app_store.chain, revoked)
        app_store.revoked = frozenset({certificate.certificate.serial_number})

        await self.refused(verifier, app_store.chain.sign(payload))

    @pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "RS256", None, ["ES256"]])
    async def test_another_algorithm(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any], algorithm: object
    ) -> None:
        header, body, signature = app_store.chain.sign(payload).split(".")
        changed = part(json.loads(base64.urlsafe_b64decode(header + "==")) | {"alg": algorithm})

        await self.refused(verifier, f"{changed}.{body}.{signature}")
        await self.refused(verifier, f"{changed}.{body}.")

    async def test_the_public_key_as_a_shared_secret(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]
    ) -> None:
        public = app_store.chain.leaf.key.public_key()
        text = f"{part({'alg': 'HS256', 'x5c': app_store.chain.x5c})}.{part(payload)}"
        for encoding in (Encoding.DER, Encoding.PEM):
            secret = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
            signature = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).decode().rstrip("=")
            await self.refused(verifier, f"{text}.{signature}")

    async def test_a_payload_that_was_changed(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]
    ) -> None:
        header, _, signature = app_store.chain.sign(payload).split(".")

        await self.refused(verifier, f"{header}.{part(payload | {'expiresDate': 4_102_444_800_000})}.{signature}")

    @pytest.mark.parametrize(
        "signed",
        [
            "",
            "..",
            "a.b.c",
            "é.é.é",
            "eyJhbGciOiJFUzI1NiJ9.e30.",
            f"{part([])}.e30.e30",
            f"{part({'alg': 'ES256', 'x5c': 'abc'})}.e30.e30",
            f"{part({'alg': 'ES256', 'x5c': [1, 2, 3]})}.e30.e30",
            f"{part({'alg': 'ES256', 'x5c': ['AAAA', 'AAAA', 'AAAA']})}.e30.e30",
            f"{part({'alg': 'ES256', 'x5c': ['é', '=', '']})}.e30.e30",
            f"{base64.urlsafe_b64encode(b'[' * 9000).decode()}.e30.e30",
            f"{part({'alg': 'ES256', 'padding': 'A' * MAX_HEADER})}.e30.e30",
            "A" * (MAX_TRANSACTION + 1),
        ],
        ids=range(13),
    )
    async def test_rubbish(self, verifier: AppStoreVerifier, signed: str) -> None:
        await self.refused(verifier, signed)

    async def test_a_certificate_in_another_form(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any]
    ) -> None:
        """Otherwise one chain in countless forms fills the library's memory, and queries the OCSP server each time."""
        leaf, *rest = app_store.chain.x5c
        longer = base64.b64encode(base64.b64decode(leaf) + b"\0").decode()
        for form in (longer, f"{leaf[:40]}\n{leaf[40:]}"):
            headers = {"x5c": [form, *rest]}
            signed = jwt.encode(payload, app_store.chain.leaf.key, algorithm="ES256", headers=headers)
            await self.refused(verifier, signed)

    async def test_only_the_pinned_root_is_trusted(self, app_store: AppStore, item: Subscription) -> None:
        verifier = verifier_of(app_store, root_sha256=ROOT_SHA256)

        await self.refused(verifier, app_store.signed_transaction(item))

    @pytest.mark.parametrize(
        "changes",
        [{"expiresDate": "soon"}, {"appAccountToken": {"a": 1}, "quantity": []}, {"environment": ["Sandbox"]}],
        ids=range(3),
    )
    async def test_signed_data_of_the_wrong_shape(
        self, app_store: AppStore, verifier: AppStoreVerifier, payload: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        with pytest.raises((InvalidSignedDataError, WrongEnvironmentError)):
            await verifier.transaction(app_store.chain.sign(payload | changes))

    async def test_a_notification_is_no_transaction(self, app_store: AppStore, verifier: AppStoreVerifier) -> None:
        app_store.state.announce("TEST")
        (signed,) = map(app_store.signer.notification, app_store.state.notifications)

        with pytest.raises(WrongAppError):
            await verifier.transaction(signed)


class TestAnotherApp:
    async def test_another_bundle(self, app_store: AppStore, item: Subscription, verifier: AppStoreVerifier) -> None:
        signer = Signer(chain=app_store.chain, bundle_id="com.example.other", app_id=APP_ID)

        with pytest.raises(WrongAppError):
            await verifier.transaction(signer.transaction(item, app_store.state.now))
        with pytest.raises(WrongAppError):
            await verifier.notification(signer.notification(app_store.state.notifications[0]))

    async def test_another_app_id(self, app_store: AppStore, verifier: AppStoreVerifier) -> None:
        app_store.state.buy(MONTHLY, sandbox=False)
        signer = Signer(chain=app_store.chain, bundle_id=BUNDLE_ID, app_id=APP_ID + 1)

        with pytest.raises(WrongAppError):
            await verifier.notification(signer.notification(app_store.state.notifications[0]))

    @pytest.mark.parametrize("environment", ["Xcode", "LocalTesting", "Moon", None])
    async def test_another_environment(
        self, app_store: AppStore, item: Subscription, verifier: AppStoreVerifier, environment: str | None
    ) -> None:
        payload = parts(app_store.signed_transaction(item))[1] | {"environment": environment}

        with pytest.raises(WrongEnvironmentError):
            await verifier.transaction(app_store.chain.sign(payload))

    async def test_an_unsigned_transaction_of_xcode(
        self, app_store: AppStore, item: Subscription, verifier: AppStoreVerifier
    ) -> None:
        payload = parts(app_store.signed_transaction(item))[1] | {"environment": "Xcode"}
        own = issue("StoreKit Testing in Xcode")
        x5c = {"x5c": [encoded(own)]}

        with pytest.raises(InvalidSignedDataError):
            await verifier.transaction(jwt.encode(payload, own.key, algorithm="ES256", headers=x5c))
