"""SendGrid's API, as https://www.twilio.com/docs/sendgrid/api-reference/mail-send describes it."""

import json
from typing import Any, Final, override
from uuid import uuid4

from tests.email.mailbox import Mail
from tests.fakes.email_api import FakeEmailApi, as_json
from tests.fakes.server import Received, Reply

MOST_IN_A_REQUEST: Final = 1000


class FakeSendGrid(FakeEmailApi):
    """Takes all mails of a request or none."""

    @override
    def take(self, request: Received) -> Reply:
        if request.path != "/v3/mail/send":
            return Reply(status=404)
        document = json.loads(request.body)
        people = document["personalizations"]
        if not 1 <= len(people) <= MOST_IN_A_REQUEST:
            return errors(400, ("The personalization block is limited.", "personalizations"))
        if [item["type"] for item in document["content"]] not in (["text/plain"], ["text/plain", "text/html"]):
            return errors(400, ("text/plain comes first, then text/html.", "content"))
        problems = [
            ("Does not contain a valid address.", f"personalizations.{index}.to.0.email")
            for index, person in enumerate(people)
            if person["to"][0]["email"] in self.refused
        ]
        if problems:
            return errors(400, *problems)
        id_ = uuid4().hex
        self.mails += [read_mail(document, person, id_) for person in people]
        return Reply(status=202, headers={"X-Message-Id": id_})

    @override
    def busy(self) -> Reply:
        return errors(429, ("too many requests", None))

    @override
    def unauthorized(self) -> Reply:
        return errors(401, ("The provided authorization grant is invalid, expired, or revoked", None))


def read_mail(document: dict[str, Any], person: dict[str, Any], id_: str) -> Mail:
    """The mail that one recipient gets."""
    (to,) = person["to"]
    text, *html = [item["value"] for item in document["content"]]
    return Mail(
        to=to["email"],
        sender=f'"{document["from"]["name"]}" <{document["from"]["email"]}>',
        subject=document["subject"],
        text=text,
        html=html[0] if html else None,
        reply_to=document["reply_to"]["email"] if "reply_to" in document else None,
        id=id_,
    )


def errors(status: int, *problems: tuple[str, str | None]) -> Reply:
    """Errors as they are answered."""
    listed = [{"message": message, "field": field, "help": None} for message, field in problems]
    return as_json(status, {"errors": listed})
