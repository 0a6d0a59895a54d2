"""Signatures of webhooks, as https://www.standardwebhooks.com specifies them: sign and verify messages."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the beginning of every secret
MIN_KEY_BYTES: Final = 24
TOLERANCE: Final = timedelta(minutes=5)
MAX_ID_LENGTH: Final = 256
MAX_HEADER_LENGTH: Final = 4096
"""Characters of the header with the signatures."""
_ID: Final = re.compile(r"[!-\-/-~]+")
"""Printable ASCII without dots, which separate the parts of the signed text."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}")


class WebhookSignatureError(ValueError):
    """A message is not signed by its sender, was modified, or is too old or too new. The text says which."""


class WebhookSigner:
    """A signer and verifier with shared secrets.

    Args:
        secrets: `whsec_` and the base64 of at least 24 random bytes, the newest first. During a rotation, messages are
            signed with all of them, and a signature by any of them is valid.

    Raises:
        ValueError: there is no secret, or one is malformed. The message does not contain it.
    """

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        if not secrets:
            raise ValueError("A webhook signer needs at least one secret.")
        self._keys = [_key(secret.get_secret_value()) for secret in secrets]

    def sign(self, message_id: str, body: bytes, *, timestamp: int | None = None) -> dict[str, str]:
        """Return the headers of a message.

        Args:
            message_id: stays the same when the message is sent again, so that the recipient can ignore duplicates.
            body: exactly as it is sent.
            timestamp: the Unix time in seconds of this attempt; by default now.

        Raises:
            ValueError: the id is empty, too long, or has characters other than printable ASCII without dots.
        """
        if len(message_id) > MAX_ID_LENGTH or not _ID.fullmatch(message_id):
            raise ValueError("The id of a message is printable ASCII without spaces and dots, at most 256 characters.")
        sent = str(int(time.time()) if timestamp is None else timestamp)
        signatures = [
            f"v1,{base64.b64encode(signature).decode()}" for signature in self._signatures(message_id, sent, body)
        ]
        return {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": " ".join(signatures)}

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        prefix: str = "webhook",
        tolerance: timedelta = TOLERANCE,
        now: float | None = None,
    ) -> str:
        """Verify the signature and the timestamp of a message, and return its id.

        Args:
            headers: the request's headers, in lower case.
            body: the unmodified body.
            prefix: the prefix of the headers: `webhook`, or the older `svix`.
            tolerance: the greatest difference between the timestamp and the clock of this machine.
            now: the Unix time in seconds; by default that of this machine.

        Raises:
            WebhookSignatureError: the message is not valid.
        """
        names = ("id", "timestamp", "signature")
        message_id, sent, signatures = (headers.get(f"{prefix}-{name}", "") for name in names)
        if len(message_id) > MAX_ID_LENGTH or not _ID.fullmatch(message_id):
            raise WebhookSignatureError("The message's id is missing or malformed.")
        if not _TIMESTAMP.fullmatch(sent):
            raise WebhookSignatureError("The timestamp is missing or malformed.")
        if len(signatures) > MAX_HEADER_LENGTH:
            raise WebhookSignatureError("The header with the signatures is too long.")
        age = (time.time() if now is None else now) - int(sent)
        if abs(age) > tolerance.total_seconds():
            raise WebhookSignatureError("The timestamp is too old." if age > 0 else "The timestamp is too new.")
        given = [_decoded(signature) for signature in signatures.split(" ")]
        expected = self._signatures(message_id, sent, body)
        # Each pair is compared, so that the time does not show which key has signed.
        if not any([hmac.compare_digest(one, other) for one in expected for other in given]):  # noqa: C419
            raise WebhookSignatureError("No signature is valid for this message.")
        return message_id

    def _signatures(self, message_id: str, sent: str, body: bytes) -> list[bytes]:
        signed = f"{message_id}.{sent}.".encode() + body
        return [hmac.digest(key, signed, hashlib.sha256) for key in self._keys]


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"must be {SECRET_PREFIX} and the base64 of at least {MIN_KEY_BYTES} bytes, as its sender shows it"
        )
    return key


def _decoded(signature: str) -> bytes:
    """Return the bytes of a signature of version 1, or none, which equal no signature."""
    version, _, encoded = signature.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""
