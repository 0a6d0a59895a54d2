"""Resend (https://resend.com/docs/api-reference/emails/send-email)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import batched
from typing import Annotated, Final

import httpx
from httpx import codes
from pydantic import SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.delivery import Delivery, Failure
from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.port import EmailProvider, EmailProviderSpec, EmailResult, Message
from app.email.providers.http_api import (
    ApiUrl,
    HttpApi,
    api_client,
    base64_of,
    bearer,
    document_of,
    failure_of,
    objects_of,
    text_of,
)

NAME: Final = "resend"
MAX_BATCH: Final = 100
QUOTA_EXCEEDED: Final = {"daily_quota_exceeded", "monthly_quota_exceeded"}


class ResendSettings(ModuleSettings):
    """The API key and the API's URL."""

    RESEND_API_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    RESEND_API_URL: ApiUrl = "https://api.resend.com"


class ResendEmail:
    """Email through Resend. Each request has an idempotency key, which Resend keeps for a day, so retries are safe.

    Args:
        client: has the API's base URL and the API key.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = HttpApi(client, _failure)
        self._delivery = Delivery(NAME, detects_duplicates=True)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        if len(to) == 1:
            return await self._delivery.results(to, partial(self._send_one, message, to[0], key))
        # The batch endpoint does not support attachments.
        size = 1 if message.attachments else MAX_BATCH
        results: list[EmailResult] = []
        for number, batch in enumerate(batched(to, size)):
            batch_key = f"{key}/{number}"
            attempt = (
                partial(self._send_one, message, batch[0], batch_key)
                if message.attachments
                else partial(self._send_batch, message, batch, batch_key)
            )
            results += await self._delivery.results(batch, attempt)
        return results

    async def _send_one(self, message: Message, to: str, key: str) -> list[EmailResult]:
        response = await self._api.post("/emails", _payload(message, to), {"Idempotency-Key": key})
        return [EmailResult(to=to, provider=NAME, message_id=text_of(document_of(response).get("id")))]

    async def _send_batch(self, message: Message, to: Sequence[str], key: str) -> list[EmailResult]:
        # In the strict mode, which is the default, one rejected address fails the whole batch.
        headers = {"Idempotency-Key": key, "x-batch-validation": "permissive"}
        response = await self._api.post("/emails/batch", [_payload(message, address) for address in to], headers)
        document = document_of(response)
        rejected = {item.get("index") for item in objects_of(document.get("errors"))}
        accepted = iter(objects_of(document.get("data")))
        return [
            EmailResult(to=address, provider=NAME, error=EmailRejectedError())
            if index in rejected
            else _accepted(address, next(accepted, None))
            for index, address in enumerate(to)
        ]


def _payload(message: Message, to: str) -> dict[str, object]:
    payload: dict[str, object] = {
        "from": message.sender.mailbox,
        "to": [to],
        "subject": message.subject,
        "text": message.text,
    }
    if message.html is not None:
        payload["html"] = message.html
    if message.reply_to is not None:
        payload["reply_to"] = message.reply_to
    if message.attachments:
        payload["attachments"] = [
            {
                "filename": attachment.filename,
                "content": base64_of(attachment),
                "content_type": attachment.content_type,
            }
            for attachment in message.attachments
        ]
    return payload


def _accepted(to: str, item: Mapping[str, object] | None) -> EmailResult:
    if item is None:
        return EmailResult(to=to, provider=NAME, error=EmailUnavailableError())
    return EmailResult(to=to, provider=NAME, message_id=text_of(item.get("id")))


def _failure(response: httpx.Response) -> Failure | None:
    """See https://resend.com/docs/api-reference/errors."""
    name = text_of(document_of(response).get("name"))
    if response.status_code == codes.CONFLICT and name == "concurrent_idempotent_requests":
        return Failure.TRANSIENT
    if response.status_code == codes.TOO_MANY_REQUESTS and name in QUOTA_EXCEEDED:
        return Failure.DEFERRED
    return failure_of(response)


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    settings = runtime.resource(ResendSettings)
    async with api_client(settings.RESEND_API_URL, headers=bearer(settings.RESEND_API_KEY)) as client:
        yield ResendEmail(client)


provider = EmailProviderSpec(name=NAME, settings=ResendSettings, open=_open)
