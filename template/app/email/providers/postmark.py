"""Postmark (https://postmarkapp.com/developer/api/email-api)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import batched
from typing import Annotated, Final

import httpx
from httpx import codes
from pydantic import Field, SecretStr
from pydantic_core import to_json

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.delivery import Delivery, Failure
from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.port import EmailProvider, EmailProviderSpec, EmailResult, Message
from app.email.providers.http_api import ApiUrl, HttpApi, api_client, base64_of, document_of, failure_of, text_of

NAME: Final = "postmark"
MAX_BATCH: Final = 500
MAX_BATCH_SIZE: Final = 40_000_000
"""Bytes of the contents in one request. Postmark's limit is 50 MB, with the other fields."""
ACCEPTED: Final = 0
INVALID_EMAIL: Final = 300
INACTIVE_RECIPIENT: Final = 406
"""The recipient bounced, complained or unsubscribed."""


class PostmarkSettings(ModuleSettings):
    """The server's token, the message stream and the API's URL."""

    POSTMARK_SERVER_TOKEN: Annotated[SecretStr, NEEDED] = SecretStr("")
    POSTMARK_MESSAGE_STREAM: str = Field(default="outbound", pattern="^[a-z0-9][a-z0-9_-]{0,29}$")
    POSTMARK_API_URL: ApiUrl = "https://api.postmarkapp.com"


class PostmarkEmail:
    """Email through Postmark, which has no idempotency keys: an attempt with an unknown outcome is not retried.

    Args:
        client: has the API's base URL and the server's token.
        stream: the message stream.
    """

    def __init__(self, client: httpx.AsyncClient, stream: str) -> None:
        self._api = HttpApi(client, _failure)
        self._delivery = Delivery(NAME, detects_duplicates=False)
        self._stream = stream

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        del key
        payload = _payload(message, self._stream)
        if len(to) == 1:
            return await self._delivery.results(to, partial(self._send_one, payload, to[0]))
        results: list[EmailResult] = []
        for batch in batched(to, _batch_size(message)):
            results += await self._delivery.results(batch, partial(self._send_batch, payload, batch))
        return results

    async def _send_one(self, payload: Mapping[str, object], to: str) -> list[EmailResult]:
        response = await self._api.post("/email", {**payload, "To": to})
        return [EmailResult(to=to, provider=NAME, message_id=text_of(document_of(response).get("MessageID")))]

    async def _send_batch(self, payload: Mapping[str, object], to: Sequence[str]) -> list[EmailResult]:
        response = await self._api.post("/email/batch", [{**payload, "To": address} for address in to])
        outcomes = _outcomes(response)
        if len(outcomes) != len(to):
            return [EmailResult(to=address, provider=NAME, error=EmailUnavailableError()) for address in to]
        return [self._result(address, outcome) for address, outcome in zip(to, outcomes, strict=True)]

    def _result(self, to: str, outcome: Mapping[str, object]) -> EmailResult:
        failure = _failure_of_code(outcome.get("ErrorCode"))
        if failure is None:
            return EmailResult(to=to, provider=NAME, message_id=text_of(outcome.get("MessageID")))
        self._delivery.log(failure, str(codes.OK.value))
        error = EmailRejectedError() if failure is Failure.PERMANENT else EmailUnavailableError()
        return EmailResult(to=to, provider=NAME, error=error)


def _batch_size(message: Message) -> int:
    encoded = sum(len(attachment.content) for attachment in message.attachments) * 4 // 3
    encoded += len(to_json([message.text, message.html]))
    return min(MAX_BATCH, max(1, MAX_BATCH_SIZE // encoded))


def _outcomes(response: httpx.Response) -> list[Mapping[str, object]]:
    try:
        outcomes = response.json()
    except (ValueError, RecursionError):
        return []
    if not isinstance(outcomes, list) or not all(isinstance(outcome, dict) for outcome in outcomes):
        return []
    return outcomes


def _failure_of_code(code: object) -> Failure | None:
    """Map an error code. See https://postmarkapp.com/developer/api/overview#error-codes."""
    if code == ACCEPTED:
        return None
    # Any other code concerns the account or the sender, not this email.
    return Failure.PERMANENT if code in {INVALID_EMAIL, INACTIVE_RECIPIENT} else Failure.DEFERRED


def _failure(response: httpx.Response) -> Failure | None:
    code = document_of(response).get("ErrorCode")
    if response.status_code == codes.UNPROCESSABLE_ENTITY and isinstance(code, int):
        return _failure_of_code(code)
    return failure_of(response)


def _payload(message: Message, stream: str) -> dict[str, object]:
    payload: dict[str, object] = {
        "From": message.sender.mailbox,
        "Subject": message.subject,
        "TextBody": message.text,
        "MessageStream": stream,
        # Links contain tokens: they must not be rewritten to pass through the provider's statistics.
        "TrackLinks": "None",
        "TrackOpens": False,
    }
    if message.html is not None:
        payload["HtmlBody"] = message.html
    if message.reply_to is not None:
        payload["ReplyTo"] = message.reply_to
    if message.attachments:
        payload["Attachments"] = [
            {"Name": attachment.filename, "Content": base64_of(attachment), "ContentType": attachment.content_type}
            for attachment in message.attachments
        ]
    return payload


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    settings = runtime.resource(PostmarkSettings)
    headers = {
        "Accept": "application/json",
        "X-Postmark-Server-Token": settings.POSTMARK_SERVER_TOKEN.get_secret_value(),
    }
    async with api_client(settings.POSTMARK_API_URL, headers=headers) as client:
        yield PostmarkEmail(client, settings.POSTMARK_MESSAGE_STREAM)


provider = EmailProviderSpec(name=NAME, settings=PostmarkSettings, open=_open)
