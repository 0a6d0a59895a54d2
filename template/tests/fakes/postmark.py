"""Postmark's API (https://postmarkapp.com/developer/api/email-api)."""

import base64
import json
from typing import Any, Final, override
from uuid import uuid4

from app.email.port import Attachment
from tests.email.fake_provider import ReceivedEmail
from tests.fakes.email_api import API_KEY, FakeEmailApi, as_json
from tests.fakes.server import Received, Reply

MAX_BATCH: Final = 500
MAX_BATCH_SIZE: Final = 50_000_000


class FakePostmark(FakeEmailApi):
    """A fake of Postmark, which accepts or rejects each email of a batch separately."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, int] = {}
        """Error codes for the emails to some addresses."""

    @override
    def authenticates(self, request: Received) -> bool:
        return request.headers.get("x-postmark-server-token") == API_KEY

    @override
    def take(self, request: Received) -> Reply:
        document = json.loads(request.body)
        if request.path == "/email":
            outcome = self._outcome(document)
            return as_json(422 if outcome["ErrorCode"] else 200, outcome)
        if request.path != "/email/batch":
            return Reply(status=404)
        if len(document) > MAX_BATCH:
            return error(422, 410, "Too many batch messages.")
        if len(request.body) > MAX_BATCH_SIZE:
            return Reply(status=413)
        return as_json(200, [self._outcome(item) for item in document])

    def _outcome(self, item: dict[str, Any]) -> dict[str, object]:
        if not {"From", "To", "Subject", "TextBody", "MessageStream"} <= item.keys() or "," in item["To"]:
            return {"ErrorCode": 300, "Message": "Invalid email request."}
        if item["To"] in self.rejected:
            return {"ErrorCode": 406, "Message": "The recipient has been marked as inactive."}
        if item["To"] in self.codes:
            return {"ErrorCode": self.codes[item["To"]], "Message": "No."}
        id_ = str(uuid4())
        self.accepted.append(read_email(item, id_))
        return {"ErrorCode": 0, "Message": "OK", "MessageID": id_, "To": item["To"]}

    @override
    def busy(self) -> Reply:
        return Reply(status=429)

    @override
    def unauthorized(self) -> Reply:
        return error(401, 10, "Bad or missing API token.")


def read_email(item: dict[str, Any], id_: str) -> ReceivedEmail:
    """Return the email that the recipient receives."""
    return ReceivedEmail(
        to=item["To"],
        sender=item["From"],
        subject=item["Subject"],
        text=item["TextBody"],
        html=item.get("HtmlBody"),
        reply_to=item.get("ReplyTo"),
        id=id_,
        attachments=tuple(
            Attachment(
                filename=each["Name"],
                content=base64.b64decode(each["Content"], validate=True),
                content_type=each["ContentType"],
            )
            for each in item.get("Attachments", ())
        ),
    )


def error(status: int, code: int, message: str) -> Reply:
    """Return an error of the whole request."""
    return as_json(status, {"ErrorCode": code, "Message": message})
