"""Resend's API (https://resend.com/docs/api-reference)."""

import base64
import json
from typing import Any, Final, override
from uuid import uuid4

from app.email.port import Attachment
from tests.email.fake_provider import ReceivedEmail
from tests.fakes.email_api import FakeEmailApi, as_json, has_bearer
from tests.fakes.server import Received, Reply

MAX_BATCH: Final = 100
MAX_KEY: Final = 256


class FakeResend(FakeEmailApi):
    """A fake of Resend, which keeps each idempotency key with its request and its reply."""

    def __init__(self) -> None:
        super().__init__()
        self._remembered: dict[str, tuple[bytes, Reply]] = {}

    @override
    def authenticates(self, request: Received) -> bool:
        return has_bearer(request)

    @override
    def take(self, request: Received) -> Reply:
        key = request.headers.get("idempotency-key", "")
        if len(key) > MAX_KEY:
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
            return error(422, "validation_error", problem) if problem else as_json(200, {"id": self._accept(document)})
        if request.path == "/emails/batch" and len(document) <= MAX_BATCH:
            if any("attachments" in item for item in document):
                return error(422, "validation_error", "Attachments are not supported in batches.")
            return self._take_batch(document, permissive=request.headers.get("x-batch-validation") == "permissive")
        return error(404, "not_found", "The requested endpoint does not exist.")

    def _take_batch(self, items: list[dict[str, Any]], *, permissive: bool) -> Reply:
        problems = [(index, problem) for index, item in enumerate(items) if (problem := self._problem(item))]
        if problems and not permissive:
            return error(422, "validation_error", problems[0][1])
        invalid = {index for index, _ in problems}
        data = [{"id": self._accept(item)} for index, item in enumerate(items) if index not in invalid]
        if not permissive:
            return as_json(200, {"data": data})
        return as_json(200, {"data": data, "errors": [{"index": index, "message": text} for index, text in problems]})

    def _problem(self, item: dict[str, Any]) -> str | None:
        if not {"from", "to", "subject", "text"} <= item.keys() or len(item["to"]) != 1:
            return "Missing field."
        return "Invalid `to` field." if item["to"][0] in self.rejected else None

    def _accept(self, item: dict[str, Any]) -> str:
        id_ = str(uuid4())
        (to,) = item["to"]
        self.accepted.append(
            ReceivedEmail(
                to=to,
                sender=item["from"],
                subject=item["subject"],
                text=item["text"],
                html=item.get("html"),
                reply_to=item.get("reply_to"),
                id=id_,
                attachments=tuple(
                    Attachment(
                        filename=each["filename"],
                        content=base64.b64decode(each["content"], validate=True),
                        content_type=each["content_type"],
                    )
                    for each in item.get("attachments", ())
                ),
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
    """Return an error in the form that all endpoints share."""
    return as_json(status, {"statusCode": status, "name": name, "message": message})
