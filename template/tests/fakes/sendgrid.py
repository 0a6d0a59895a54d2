"""SendGrid's API (https://www.twilio.com/docs/sendgrid/api-reference/mail-send)."""

import base64
import json
from typing import Any, Final, override
from uuid import uuid4

from app.email.port import Attachment
from tests.email.fake_provider import ReceivedEmail
from tests.fakes.email_api import FakeEmailApi, as_json, has_bearer
from tests.fakes.server import Received, Reply

MAX_PERSONALIZATIONS: Final = 1000


class FakeSendGrid(FakeEmailApi):
    """A fake of SendGrid, which accepts all emails of a request or none."""

    @override
    def authenticates(self, request: Received) -> bool:
        return has_bearer(request)

    @override
    def take(self, request: Received) -> Reply:
        if request.path != "/v3/mail/send":
            return Reply(status=404)
        document = json.loads(request.body)
        people = document["personalizations"]
        if not 1 <= len(people) <= MAX_PERSONALIZATIONS:
            return errors(400, ("The personalization block is limited.", "personalizations"))
        if [item["type"] for item in document["content"]] not in (["text/plain"], ["text/plain", "text/html"]):
            return errors(400, ("text/plain comes first, then text/html.", "content"))
        problems = [
            ("Does not contain a valid address.", f"personalizations.{index}.to.0.email")
            for index, person in enumerate(people)
            if person["to"][0]["email"] in self.rejected
        ]
        if problems:
            return errors(400, *problems)
        id_ = uuid4().hex
        self.accepted += [read_email(document, person, id_) for person in people]
        return Reply(status=202, headers={"X-Message-Id": id_})

    @override
    def busy(self) -> Reply:
        return errors(429, ("too many requests", None))

    @override
    def unauthorized(self) -> Reply:
        return errors(401, ("The provided authorization grant is invalid, expired, or revoked", None))


def read_email(document: dict[str, Any], person: dict[str, Any], id_: str) -> ReceivedEmail:
    """Return the email that one recipient receives."""
    (to,) = person["to"]
    text, *html = [item["value"] for item in document["content"]]
    return ReceivedEmail(
        to=to["email"],
        sender=f'"{document["from"]["name"]}" <{document["from"]["email"]}>',
        subject=document["subject"],
        text=text,
        html=html[0] if html else None,
        reply_to=document["reply_to"]["email"] if "reply_to" in document else None,
        id=id_,
        attachments=tuple(
            Attachment(
                filename=each["filename"],
                content=base64.b64decode(each["content"], validate=True),
                content_type=each["type"],
            )
            for each in document.get("attachments", ())
        ),
    )


def errors(status: int, *problems: tuple[str, str | None]) -> Reply:
    """Return errors in SendGrid's form."""
    listed = [{"message": message, "field": field, "help": None} for message, field in problems]
    return as_json(status, {"errors": listed})
