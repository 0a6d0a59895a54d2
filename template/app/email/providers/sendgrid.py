"""SendGrid (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send)."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import Annotated, Final

import httpx
from httpx import codes
from pydantic import SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.delivery import Delivery, Failure, ProviderError
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

NAME: Final = "sendgrid"
MAX_BATCH: Final = 1000
_RECIPIENT_FIELD: Final = re.compile(r"personalizations\.(\d{1,4})\.")


class SendGridSettings(ModuleSettings):
    """The API key and the API's URL."""

    SENDGRID_API_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    SENDGRID_API_URL: ApiUrl = "https://api.sendgrid.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """The request was accepted, or must be repeated without the `rejected` addresses."""

    message_id: str | None = None
    rejected: tuple[str, ...] = ()


class SendGridEmail:
    """Email through SendGrid, which has no idempotency keys: an attempt with an unknown outcome is not retried.

    Args:
        client: has the API's base URL and the API key.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = HttpApi(client, _failure)
        self._delivery = Delivery(NAME, detects_duplicates=False)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        del key
        results: list[EmailResult] = []
        for batch in batched(to, MAX_BATCH):
            results += await self._send_batch(message, batch)
        return results

    async def _send_batch(self, message: Message, to: Sequence[str]) -> list[EmailResult]:
        """Send one batch. A request succeeds or fails as a whole, so it is repeated without rejected addresses."""
        results: dict[str, EmailResult] = {}
        while pending := [address for address in to if address not in results]:
            try:
                outcome = await self._delivery.call(partial(self._request, message, pending))
            except (EmailRejectedError, EmailUnavailableError) as error:
                results |= {address: EmailResult(to=address, provider=NAME, error=error) for address in pending}
                continue
            if outcome.rejected:
                self._delivery.log(Failure.PERMANENT, "400", count=len(outcome.rejected))
            rejection = EmailRejectedError() if outcome.rejected else None
            for address in outcome.rejected or pending:
                results[address] = EmailResult(
                    to=address, provider=NAME, message_id=outcome.message_id, error=rejection
                )
        return [results[address] for address in to]

    async def _request(self, message: Message, to: Sequence[str]) -> _Outcome:
        response = await self._api.post("/v3/mail/send", _payload(message, to))
        if response.status_code != codes.BAD_REQUEST:
            return _Outcome(message_id=text_of(response.headers.get("X-Message-Id")))
        rejected = tuple(to[index] for index in sorted(_rejected_indices(response)) if index < len(to))
        if not rejected:
            raise ProviderError(Failure.PERMANENT, str(response.status_code))
        return _Outcome(rejected=rejected)


def _rejected_indices(response: httpx.Response) -> set[int]:
    """Return the positions of the recipients that a response's errors refer to."""
    fields = [str(item.get("field")) for item in objects_of(document_of(response).get("errors"))]
    return {int(found[1]) for found in map(_RECIPIENT_FIELD.match, fields) if found is not None}


def _failure(response: httpx.Response) -> Failure | None:
    if response.status_code == codes.BAD_REQUEST and _rejected_indices(response):
        # Only some recipients are rejected: the others can still receive the email.
        return None
    return failure_of(response)


def _payload(message: Message, to: Sequence[str]) -> dict[str, object]:
    content = [{"type": "text/plain", "value": message.text}]
    if message.html is not None:
        content.append({"type": "text/html", "value": message.html})
    payload: dict[str, object] = {
        "personalizations": [{"to": [{"email": address}]} for address in to],
        "from": {"email": message.sender.address, "name": message.sender.name},
        "subject": message.subject,
        "content": content,
        # Links contain tokens: they must not be rewritten to pass through the provider's statistics.
        "tracking_settings": {"click_tracking": {"enable": False, "enable_text": False}},
    }
    if message.reply_to is not None:
        payload["reply_to"] = {"email": message.reply_to}
    if message.attachments:
        payload["attachments"] = [
            {
                "filename": attachment.filename,
                "content": base64_of(attachment),
                "type": attachment.content_type,
                "disposition": "attachment",
            }
            for attachment in message.attachments
        ]
    return payload


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    settings = runtime.resource(SendGridSettings)
    async with api_client(settings.SENDGRID_API_URL, headers=bearer(settings.SENDGRID_API_KEY)) as client:
        yield SendGridEmail(client)


provider = EmailProviderSpec(name=NAME, settings=SendGridSettings, open=_open)
