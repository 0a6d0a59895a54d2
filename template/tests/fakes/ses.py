"""Amazon SES, API version 2, with its own computation of the signature (AWS Signature Version 4)."""

import base64
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.utils import parseaddr
from functools import reduce
from hashlib import sha256
from typing import Any, Final, override
from uuid import uuid4

from app.email.port import Attachment, Sender
from tests.email.fake_provider import ReceivedEmail
from tests.fakes.email_api import FakeEmailApi, as_json
from tests.fakes.server import Received, Reply

REGION: Final = "eu-west-1"
ACCESS_KEY_ID: Final = "AKIAFAKEFAKEFAKE0001"
SECRET_ACCESS_KEY: Final = "fake/+secretKeyForTestsOnly0000000000001"
MAX_SKEW: Final = timedelta(minutes=5)
AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>\w+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/ses/aws4_request, "
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class FakeSes(FakeEmailApi):
    """A fake of Amazon SES, which accepts one email per request if its signature is valid and fresh."""

    @override
    def authenticates(self, request: Received) -> bool:
        found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        timestamp = request.headers.get("x-amz-date", "")
        if found is None or (found["id"], found["region"]) != (ACCESS_KEY_ID, REGION):
            return False
        at = datetime.strptime(timestamp, "%Y%m%dT%H%M%S%z")
        if abs(datetime.now(UTC) - at) > MAX_SKEW or timestamp[:8] != found["date"]:
            return False
        names = found["names"].split(";")
        if names != sorted(names) or not {"content-type", "host", "x-amz-date"} <= set(names):
            return False
        return hmac.compare_digest(expected_signature(request, found["date"], names), found["signature"])

    @override
    def take(self, request: Received) -> Reply:
        if request.path != "/v2/email/outbound-emails":
            return error(404, "UnknownOperationException", "")
        document = json.loads(request.body)
        recipients = document["Destination"]["ToAddresses"]
        if len(recipients) != 1 or not document["FromEmailAddress"].isascii():
            return error(400, "BadRequestException", "Invalid parameter.")
        if recipients[0] in self.rejected:
            return error(400, "MessageRejected", "Address is on the suppression list.")
        id_ = f"0102{uuid4().hex}-000000"
        self.accepted.append(read_email(document, id_))
        return as_json(200, {"MessageId": id_})

    @override
    def busy(self) -> Reply:
        return error(429, "TooManyRequestsException", "Maximum sending rate exceeded.")

    @override
    def unauthorized(self) -> Reply:
        return error(403, "InvalidSignatureException", "The request signature does not match.")


def expected_signature(request: Received, date: str, names: list[str]) -> str:
    """Return the signature of a request, computed from what arrived."""
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in names)
    canonical = f"{request.method}\n{request.path}\n\n{headers}\n{';'.join(names)}\n{sha256(request.body).hexdigest()}"
    scope = f"{date}/{REGION}/ses/aws4_request"
    digest = sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{digest}"
    key = reduce(
        lambda key, part: hmac.new(key, part.encode(), sha256).digest(),
        scope.split("/"),
        f"AWS4{SECRET_ACCESS_KEY}".encode(),
    )
    return hmac.new(key, to_sign.encode(), sha256).hexdigest()


def read_email(document: dict[str, Any], id_: str) -> ReceivedEmail:
    """Return the email that the recipient receives."""
    simple = document["Content"]["Simple"]
    name, address = parseaddr(document["FromEmailAddress"])
    reply_to = document.get("ReplyToAddresses")
    return ReceivedEmail(
        to=document["Destination"]["ToAddresses"][0],
        sender=Sender(address=address, name=str(make_header(decode_header(name)))).mailbox,
        subject=simple["Subject"]["Data"],
        text=simple["Body"]["Text"]["Data"],
        html=simple["Body"]["Html"]["Data"] if "Html" in simple["Body"] else None,
        reply_to=reply_to[0] if reply_to else None,
        id=id_,
        attachments=tuple(
            Attachment(
                filename=each["FileName"],
                content=base64.b64decode(each["RawContent"], validate=True),
                content_type=each["ContentType"],
            )
            for each in simple.get("Attachments", ())
        ),
    )


def error(status: int, name: str, message: str) -> Reply:
    """Return an error in the form of AWS's JSON protocol over REST."""
    body = json.dumps({"message": message}).encode()
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": f"{name}:http://internal.example/"}
    return Reply(status=status, body=body, headers=headers)
