"""Mail through SendGrid (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send)."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import Annotated, Final

import httpx
import structlog
from httpx import codes
from pydantic import SecretStr

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.calls import Calls, Failure, ProviderError
from app.email.port import EmailPiece, EmailProvider, EmailRejectedError, EmailResult, EmailUnavailableError, Message
from app.email.providers.http_api import ApiUrl, HttpApi, api_client, document_of, failure_of, text_of

logger = structlog.stdlib.get_logger(__name__)

NAME: Final = "sendgrid"
BATCH: Final = 1000
_FIELD: Final = re.compile(r"personalizations\.(\d+)\.")


class SendGridSettings(ModuleSettings):
    """The key, and where it is good."""

    SENDGRID_API_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    SENDGRID_API_URL: ApiUrl = "https://api.sendgrid.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """The mail was taken, or those who were `refused` have to be left out."""

    message_id: str | None = None
    refused: tuple[str, ...] = ()


class SendGridEmail:
    """SendGrid knows no idempotency key: what it may have taken is not sent again.

    Args:
        client: with the API's address and the key.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = HttpApi(client, _failure)
        self._calls = Calls(NAME, repeats_unknown=False)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        del key
        results: list[EmailResult] = []
        for some in batched(to, BATCH):
            results += await self._some(message, some)
        return results

    async def _some(self, message: Message, to: Sequence[str]) -> list[EmailResult]:
        """One request is for all or for nothing: those for whom it is refused are left out of the next."""
        results: dict[str, EmailResult] = {}
        while left := [address for address in to if address not in results]:
            try:
                answer = await self._calls.call(partial(self._request, message, left))
            except (EmailRejectedError, EmailUnavailableError) as error:
                results |= {address: EmailResult(to=address, provider=NAME, error=error) for address in left}
                continue
            if answer.refused:
                logger.warning("email_failed", provider=NAME, failure="final", reason="400", count=len(answer.refused))
            for address in answer.refused or left:
                refusal = EmailRejectedError() if answer.refused else None
                results[address] = EmailResult(to=address, provider=NAME, message_id=answer.message_id, error=refusal)
        return [results[address] for address in to]

    async def _request(self, message: Message, to: Sequence[str]) -> _Answer:
        response = await self._api.post("/v3/mail/send", _mail(message, to))
        if response.status_code != codes.BAD_REQUEST:
            return _Answer(message_id=text_of(response.headers.get("X-Message-Id")))
        refused = tuple(to[index] for index in sorted(_named(response)) if index < len(to))
        if not refused:
            raise ProviderError(Failure.FINAL, str(response.status_code))
        return _Answer(refused=refused)


def _named(response: httpx.Response) -> set[int]:
    """The places of the recipients that the errors of an answer name."""
    errors = document_of(response).get("errors")
    fields = [str(item.get("field")) for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    return {int(found[1]) for found in map(_FIELD.match, fields) if found is not None}


def _failure(response: httpx.Response) -> Failure | None:
    if response.status_code == codes.BAD_REQUEST and _named(response):
        # Not of the whole request: it can be sent to the others.
        return None
    return failure_of(response)


def _mail(message: Message, to: Sequence[str]) -> dict[str, object]:
    content = [{"type": "text/plain", "value": message.text}]
    if message.html is not None:
        content.append({"type": "text/html", "value": message.html})
    mail: dict[str, object] = {
        "personalizations": [{"to": [{"email": address}]} for address in to],
        "from": {"email": message.sender.address, "name": message.sender.name},
        "subject": message.subject,
        "content": content,
        # Links carry tokens: they go straight to where they lead, and through nobody's statistics.
        "tracking_settings": {"click_tracking": {"enable": False, "enable_text": False}},
    }
    if message.reply_to is not None:
        mail["reply_to"] = {"email": message.reply_to}
    return mail


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    settings = runtime.resource(SendGridSettings)
    async with api_client(settings.SENDGRID_API_URL, settings.SENDGRID_API_KEY) as client:
        yield SendGridEmail(client)


provider = EmailPiece(name=NAME, settings=SendGridSettings, open=_open)
