"""Signatures of webhooks."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from app.kit.webhook_signatures import WebhookSignatureError, WebhookSigner

# The example of the Standard Webhooks specification's reference libraries
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIME = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SIGNER = WebhookSigner([SecretStr(SECRET)])
HEADERS = {"webhook-id": MESSAGE, "webhook-timestamp": str(TIME), "webhook-signature": SIGNATURE}
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()


class TestSign:
    def test_known_answer(self) -> None:
        assert SIGNER.sign(MESSAGE, BODY, timestamp=TIME) == HEADERS

    def test_another_implementation_accepts_it(self) -> None:
        Webhook(SECRET).verify("ä".encode(), SIGNER.sign("msg_1", "ä".encode()), json_parse=False)

    def test_any_bytes_can_be_signed(self) -> None:
        assert SIGNER.verify(SIGNER.sign("msg_1", b"\xff\x00"), b"\xff\x00") == "msg_1"

    def test_in_a_rotation_recipients_with_either_secret_accept_it(self) -> None:
        headers = WebhookSigner([SecretStr(NEW), SecretStr(SECRET)]).sign("msg_1", BODY)

        for secret in (NEW, SECRET):
            assert WebhookSigner([SecretStr(secret)]).verify(headers, BODY) == "msg_1"
            Webhook(secret).verify(BODY, headers, json_parse=False)

    @pytest.mark.parametrize("message", ["", "a.b", "a b", "ä", "a\n", "a" * 257])
    def test_ids_that_are_ambiguous_are_refused(self, message: str) -> None:
        with pytest.raises(ValueError, match="id of a message"):
            SIGNER.sign(message, BODY)

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_YWJj", "whsec_!", "ä" * 40])
    def test_malformed_secrets(self, secret: str) -> None:
        with pytest.raises(ValueError, match="must be whsec_"):
            WebhookSigner([SecretStr(secret)])

    def test_without_a_secret_nothing_is_signed(self) -> None:
        with pytest.raises(ValueError, match="at least one secret"):
            WebhookSigner([])


class TestVerify:
    def test_another_implementations_signature(self) -> None:
        now = datetime.now(UTC)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign("msg_1", now, BODY.decode()),
        }

        assert SIGNER.verify(headers, BODY) == "msg_1"

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_within_the_tolerance(self, seconds: int) -> None:
        assert SIGNER.verify(HEADERS, BODY, now=TIME + seconds) == MESSAGE

    @pytest.mark.parametrize(("seconds", "reason"), [(301, "too old"), (10**9, "too old"), (-301, "too new")])
    def test_outside_the_tolerance(self, seconds: int, reason: str) -> None:
        with pytest.raises(WebhookSignatureError, match=reason):
            SIGNER.verify(HEADERS, BODY, now=TIME + seconds)

    def test_another_tolerance(self) -> None:
        assert SIGNER.verify(HEADERS, BODY, now=TIME + 900, tolerance=timedelta(minutes=15)) == MESSAGE
        with pytest.raises(WebhookSignatureError):
            SIGNER.verify(HEADERS, BODY, now=TIME + 2, tolerance=timedelta(seconds=1))

    def test_without_the_clock_being_given(self) -> None:
        with pytest.raises(WebhookSignatureError, match="too old"):
            SIGNER.verify(HEADERS, BODY)

    def test_a_part_of_the_body_cannot_become_the_timestamp(self) -> None:
        body = f"{TIME + 1}.{{}}".encode()
        signed = SIGNER.sign("msg_1", body, timestamp=TIME)
        shifted = signed | {"webhook-id": f"msg_1.{TIME}", "webhook-timestamp": str(TIME + 1)}
        with pytest.raises(WebhookSignatureError, match="id is missing or malformed"):
            SIGNER.verify(shifted, b"{}", now=TIME)

    @pytest.mark.parametrize("sent", ["", "now", "-1", "+1", "1.0", " 1", "1_0", "١٢", "9" * 12, "9" * 100_000])
    def test_other_timestamps(self, sent: str) -> None:
        with pytest.raises(WebhookSignatureError, match="timestamp is missing or malformed"):
            SIGNER.verify(HEADERS | {"webhook-timestamp": sent}, BODY, now=TIME)

    @pytest.mark.parametrize(
        "signature",
        ["", " ", "v1", "v1,", "v1,!", "v1,ä", "v1a,YQ==", f"v2{SIGNATURE[2:]}", SIGNATURE[:-2], f"{SIGNATURE}="],
    )
    def test_other_signatures(self, signature: str) -> None:
        with pytest.raises(WebhookSignatureError, match="No signature is valid"):
            SIGNER.verify(HEADERS | {"webhook-signature": signature}, BODY, now=TIME)

    def test_long_headers_are_refused_at_once(self) -> None:
        for name in ("webhook-id", "webhook-signature"):
            with pytest.raises(WebhookSignatureError):
                SIGNER.verify(HEADERS | {name: f"{SIGNATURE} " * 1000}, BODY, now=TIME)

    @pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], b"\xff"])
    def test_another_body(self, body: bytes) -> None:
        with pytest.raises(WebhookSignatureError, match="No signature is valid"):
            SIGNER.verify(HEADERS, body, now=TIME)
