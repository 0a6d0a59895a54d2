"""Mail through Resend (https://resend.com/docs/api-reference/emails/send-email)."""

from collections.abc import AsyncIterator, Sequence
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
from app.email.calls import Calls, Failure
from app.email.port import EmailPiece, EmailProvider, EmailRejectedError, EmailResult, EmailUnavailableError, Message
from app.email.providers.http_api import ApiUrl, HttpApi, api_client, document_of, failure_of, text_of

NAME: Final = "resend"
BATCH: Final = 100
EXHAUSTED: Final = {"daily_quota_exceeded", "monthly_quota_exceeded"}


class ResendSettings(ModuleSettings):
    """The key, and where it is good."""

    RESEND_API_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    RESEND_API_URL: ApiUrl = "https://api.resend.com"


class ResendEmail:
    """Each request carries an idempotency key, which Resend remembers for a day: it may be repeated without harm.

    Args:
        client: with the API's address and the key.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = HttpApi(client, _failure)
        self._calls = Calls(NAME, repeats_unknown=True)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        if len(to) == 1:
            return await self._calls.results(tuple(to), partial(self._one, message, to[0], key))
        results: list[EmailResult] = []
        for number, some in enumerate(batched(to, BATCH)):
            results += await self._calls.results(some, partial(self._some, message, some, f"{key}/{number}"))
        return results

    async def _one(self, message: Message, to: str, key: str) -> list[EmailResult]:
        response = await self._api.post("/emails", _mail(message, to), {"Idempotency-Key": key})
        return [EmailResult(to=to, provider=NAME, message_id=text_of(document_of(response).get("id")))]

    async def _some(self, message: Message, to: Sequence[str], key: str) -> list[EmailResult]:
        # Otherwise one address that is refused would keep all others from their mail.
        headers = {"Idempotency-Key": key, "x-batch-validation": "permissive"}
        response = await self._api.post("/emails/batch", [_mail(message, address) for address in to], headers)
        document = document_of(response)
        refused = {item.get("index") for item in _objects(document.get("errors"))}
        ids = iter(_objects(document.get("data")))
        return [
            EmailResult(to=address, provider=NAME, error=EmailRejectedError())
            if index in refused
            else _taken(address, next(ids, None))
            for index, address in enumerate(to)
        ]


def _mail(message: Message, to: str) -> dict[str, object]:
    mail: dict[str, object] = {
        "from": message.sender.mailbox,
        "to": [to],
        "subject": message.subject,
        "text": message.text,
    }
    if message.html is not None:
        mail["html"] = message.html
    if message.reply_to is not None:
        mail["reply_to"] = message.reply_to
    return mail


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _taken(to: str, item: dict[str, object] | None) -> EmailResult:
    if item is None:
        return EmailResult(to=to, provider=NAME, error=EmailUnavailableError())
    return EmailResult(to=to, provider=NAME, message_id=text_of(item.get("id")))


def _failure(response: httpx.Response) -> Failure | None:
    """See https://resend.com/docs/api-reference/errors."""
    name = text_of(document_of(response).get("name"))
    if response.status_code == codes.CONFLICT and name == "concurrent_idempotent_requests":
        return Failure.DOWN
    if response.status_code == codes.TOO_MANY_REQUESTS and name in EXHAUSTED:
        return Failure.LATER
    return failure_of(response)


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    settings = runtime.resource(ResendSettings)
    async with api_client(settings.RESEND_API_URL, settings.RESEND_API_KEY) as client:
        yield ResendEmail(client)


provider = EmailPiece(name=NAME, settings=ResendSettings, open=_open)
