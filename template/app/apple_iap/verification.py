"""Verification of data that the App Store signs: notifications, transactions and renewal information.

Each is a JWS (RFC 7515) whose header contains its certificates: leaf, intermediate and root. The root is Apple's if its
SHA-256 fingerprint is the pinned one. The library checks the chain, Apple's two certificate extensions, revocation
(OCSP), the signature, the app and the environment
(https://developer.apple.com/documentation/appstoreserverapi/jws-decoded-header).
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.models.JWSRenewalInfoDecodedPayload import JWSRenewalInfoDecodedPayload
from appstoreserverlibrary.models.JWSTransactionDecodedPayload import JWSTransactionDecodedPayload
from appstoreserverlibrary.models.ResponseBodyV2DecodedPayload import ResponseBodyV2DecodedPayload
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier, VerificationException, VerificationStatus
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.apple_iap.errors import (
    InvalidSignedDataError,
    VerificationUnavailableError,
    WrongAppError,
    WrongEnvironmentError,
)

logger = structlog.stdlib.get_logger(__name__)

ENVIRONMENTS: Final = (Environment.PRODUCTION, Environment.SANDBOX)
"""The others, Xcode and LocalTesting, are not signed by the App Store."""
MAX_NOTIFICATION: Final = 128 * 1024
MAX_TRANSACTION: Final = 32 * 1024
MAX_HEADER: Final = 16 * 1024
"""Characters. The App Store's are about a tenth of it."""
CERTIFICATES: Final = 3
TIMEOUT: Final = timedelta(seconds=10)
"""Of one verification. Twice in a quarter of an hour it needs an answer from Apple's OCSP server."""
WORKERS: Final = 4
"""Threads that wait for the OCSP server. They are the verifier's own: other work has to go on while it hangs."""


class AppStoreVerifier:
    """Verifies data that the App Store signed.

    Args:
        root_sha256: the fingerprint of the trusted root certificate, in hexadecimal digits.
        bundle_id: the app's.
        app_id: the app's id in the App Store, which notifications of real purchases contain.
        timeout: of one verification.
    """

    def __init__(
        self,
        *,
        root_sha256: str,
        bundle_id: str,
        app_id: int,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self._root_sha256 = root_sha256
        self._bundle_id = bundle_id
        self._app_id = app_id
        self._timeout = timeout
        self._verifiers: tuple[SignedDataVerifier, ...] = ()
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="app-store-verifier")

    def close(self) -> None:
        """Drop the verifications that have not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def transaction(self, signed: str) -> JWSTransactionDecodedPayload:
        """Verify and decode a transaction.

        Raises:
            InvalidSignedDataError: the App Store did not sign it.
            WrongAppError: it belongs to another app.
            WrongEnvironmentError: its environment is not accepted.
            VerificationUnavailableError: it cannot be verified at the moment.
        """
        return await self._verify(signed, MAX_TRANSACTION, SignedDataVerifier.verify_and_decode_signed_transaction)

    async def renewal_info(self, signed: str) -> JWSRenewalInfoDecodedPayload:
        """Verify and decode renewal information. Raises the errors of `transaction`."""
        return await self._verify(signed, MAX_TRANSACTION, SignedDataVerifier.verify_and_decode_renewal_info)

    async def notification(self, signed: str) -> ResponseBodyV2DecodedPayload:
        """Verify and decode a notification. Raises the errors of `transaction`."""
        return await self._verify(signed, MAX_NOTIFICATION, SignedDataVerifier.verify_and_decode_notification)

    async def _verify[T](self, signed: str, longest: int, decode: Callable[[SignedDataVerifier, str], T]) -> T:
        root = self._trusted_root(signed, longest)
        if not self._verifiers:
            # There is only one root that has this fingerprint.
            self._verifiers = tuple(self._verifier(root, environment) for environment in ENVIRONMENTS)
        work = partial(_decode, self._verifiers, signed, decode)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            logger.warning("app_store_verification_timed_out", seconds=self._timeout.total_seconds())
            raise VerificationUnavailableError from None

    def _trusted_root(self, signed: str, longest: int) -> bytes:
        """Check the form of the header, and return the root certificate if it is the pinned one."""
        if len(signed) > longest or not signed.isascii():
            raise _invalid("too long")
        header = _header(signed.partition(".")[0])
        certificates = header.get("x5c")
        if header.get("alg") != "ES256":
            raise _invalid("algorithm")
        if not isinstance(certificates, list) or len(certificates) != CERTIFICATES:
            raise _invalid("number of certificates")
        # One certificate has exactly one form here. The library remembers the chains that it has verified; the same
        # chain in countless forms would fill its memory, and ask the OCSP server again for each.
        *_, root = [_certificate(each) for each in certificates]
        if hashlib.sha256(root).hexdigest() != self._root_sha256:
            raise _invalid("root certificate")
        return root

    def _verifier(self, root: bytes, environment: Environment) -> SignedDataVerifier:
        return SignedDataVerifier(
            root_certificates=[root],
            enable_online_checks=True,
            environment=environment,
            bundle_id=self._bundle_id,
            app_apple_id=self._app_id,
        )


def _header(encoded: str) -> dict[str, object]:
    if len(encoded) > MAX_HEADER:
        raise _invalid("header too long")
    try:
        header: object = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        raise _invalid("header") from None
    if not isinstance(header, dict):
        raise _invalid("header")
    return header


def _certificate(encoded: object) -> bytes:
    if not isinstance(encoded, str):
        raise _invalid("certificate")
    try:
        der = base64.b64decode(encoded, validate=True)
        exact = x509.load_der_x509_certificate(der).public_bytes(Encoding.DER) == der
    except (ValueError, TypeError, x509.InvalidVersion):
        raise _invalid("certificate") from None
    if not exact or base64.b64encode(der).decode() != encoded:
        raise _invalid("certificate")
    return der


def _decode[T](
    verifiers: Sequence[SignedDataVerifier], signed: str, decode: Callable[[SignedDataVerifier, str], T]
) -> T:
    """Decode with the verifier of the environment that the data comes from."""
    mismatch = VerificationStatus.INVALID_ENVIRONMENT
    for verifier in verifiers:
        try:
            return decode(verifier, signed)
        except VerificationException as error:
            if error.status is VerificationStatus.RETRYABLE_VERIFICATION_FAILURE:
                logger.warning("app_store_certificate_status_unavailable")
                raise VerificationUnavailableError from None
            if error.status is VerificationStatus.INVALID_APP_IDENTIFIER:
                mismatch = error.status
            elif error.status is not VerificationStatus.INVALID_ENVIRONMENT:
                raise _invalid(error.status.name) from None
        except Exception as error:  # noqa: BLE001 - signed data of the wrong shape: the library's converter raises anything
            raise _invalid(type(error).__name__) from None
    logger.warning("app_store_data_refused", reason=mismatch.name)
    raise WrongAppError if mismatch is VerificationStatus.INVALID_APP_IDENTIFIER else WrongEnvironmentError


def _invalid(reason: str) -> InvalidSignedDataError:
    logger.warning("app_store_data_refused", reason=reason)
    return InvalidSignedDataError()
