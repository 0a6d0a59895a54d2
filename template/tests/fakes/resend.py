"""Resend's API, as https://resend.com/docs/api-reference describes it."""

import json
from typing import Any, Final, override
from uuid import uuid4

from tests.email.mailbox import Mail
from tests.fakes.email_api import FakeEmailApi, as_json
from tests.fakes.server import Received, Reply

MOST_IN_A_BATCH: Final = 100
LONGEST_KEY: Final = 256


class FakeResend(FakeEmailApi):
    """Remembers idempotency keys with what came with them and what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self._remembered: dict[str, tuple[bytes, Reply]] = {}

    @override
    def take(self, request: Received) -> Reply:
        key = request.headers.get("idempotency-key", "")
        if len(key) > LONGEST_KEY:
            return error(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        if key in self._remembered:
            body, reply = self._remembered[key]
            if body != request.body:
                return error(409, "invalid_idempotent_request", "Same idempotency key used with a different payload.")
            return reply
        reply = self._take_new(request)
        if key and reply.status == 200:
            self._remembered[key] = request.body, reply
        return reply

    def _take_new(self, request: Received) -> Reply:
        document = json.loads(request.body)
        if request.path == "/emails":
            problem = self._problem(document)
            return error(422, "validation_error", problem) if problem else as_json(200, {"id": self._keep(document)})
        if request.path == "/emails/batch" and len(document) <= MOST_IN_A_BATCH:
            return self._take_batch(document, permissive=request.headers.get("x-batch-validation") == "permissive")
        return error(404, "not_found", "The requested endpoint does not exist.")

    def _take_batch(self, mails: list[dict[str, Any]], *, permissive: bool) -> Reply:
        problems = [(index, problem) for index, mail in enumerate(mails) if (problem := self._problem(mail))]
        if problems and not permissive:
            return error(422, "validation_error", problems[0][1])
        bad = {index for index, _ in problems}
        data = [{"id": self._keep(mail)} for index, mail in enumerate(mails) if index not in bad]
        if not permissive:
            return as_json(200, {"data": data})
        return as_json(200, {"data": data, "errors": [{"index": index, "message": text} for index, text in problems]})

    def _problem(self, mail: dict[str, Any]) -> str | None:
        if not {"from", "to", "subject", "text"} <= mail.keys() or len(mail["to"]) != 1:
            return "Missing field."
        return "Invalid `to` field." if mail["to"][0] in self.refused else None

    def _keep(self, mail: dict[str, Any]) -> str:
        id_ = str(uuid4())
        (to,) = mail["to"]
        self.mails.append(
            Mail(
                to=to,
                sender=mail["from"],
                subject=mail["subject"],
                text=mail["text"],
                html=mail.get("html"),
                reply_to=mail.get("reply_to"),
                id=id_,
            )
        )
        return id_

    @override
    def busy(self) -> Reply:
        return error(429, "rate_limit_exceeded", "Too many requests.")

    @override
    def unauthorized(self) -> Reply:
        return error(401, "validation_error", "API key is invalid")


def error(status: int, name: str, message: str) -> Reply:
    """An error as all of its endpoints answer it."""
    return as_json(status, {"statusCode": status, "name": name, "message": message})
