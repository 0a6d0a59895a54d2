"""Amazon SES, API version 2 (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.utils import formataddr
from functools import partial
from typing import Annotated, Final

import httpx
from httpx import codes
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo

from app.core.config.provider_selection import NEEDED
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.email.delivery import Delivery, Failure
from app.email.port import EmailProvider, EmailProviderSpec, EmailResult, Message
from app.email.providers.aws_signature import AwsAuth, AwsSigner
from app.email.providers.http_api import (
    HttpApi,
    api_client,
    base64_of,
    check_api_url,
    document_of,
    failure_of,
    text_of,
)

NAME: Final = "ses"
PATH: Final = "/v2/email/outbound-emails"
_ACCOUNT_ERRORS: Final = {
    "AccountSuspendedException",
    "LimitExceededException",
    "MailFromDomainNotVerifiedException",
    "SendingPausedException",
}


def _optional_api_url(value: str, info: ValidationInfo) -> str:
    return check_api_url(value, info) if value else value


class SesSettings(ModuleSettings):
    """The region, the access key and, for a proxy, the API's URL."""

    SES_REGION: Annotated[str, Field(pattern="^([a-z]{2,4}(-[a-z]+)+-[0-9]{1,2})?$"), NEEDED] = ""
    SES_ACCESS_KEY_ID: Annotated[str, Field(pattern="^[A-Za-z0-9_]*$"), NEEDED] = ""
    SES_SECRET_ACCESS_KEY: Annotated[SecretStr, NEEDED] = SecretStr("")
    SES_API_URL: Annotated[str, AfterValidator(_optional_api_url)] = ""

    @property
    def url(self) -> str:
        """The API's base URL: the region's endpoint, if no other is set."""
        return self.SES_API_URL or f"https://email.{self.SES_REGION}.amazonaws.com"


class SesEmail:
    """Email through Amazon SES, one request per recipient.

    SES has no idempotency keys: an attempt with an unknown outcome is not retried.

    Args:
        client: has the API's base URL and signs its requests.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._api = HttpApi(client, _failure)
        self._delivery = Delivery(NAME, detects_duplicates=False)

    async def send(self, message: Message, to: Sequence[str], *, key: str) -> Sequence[EmailResult]:
        """See `EmailProvider.send`."""
        del key
        content = _content(message)
        results: list[EmailResult] = []
        for address in to:
            payload = _payload(message, content, address)
            results += await self._delivery.results([address], partial(self._send_one, payload, address))
        return results

    async def _send_one(self, payload: dict[str, object], to: str) -> list[EmailResult]:
        response = await self._api.post(PATH, payload)
        return [EmailResult(to=to, provider=NAME, message_id=text_of(document_of(response).get("MessageId")))]


def _failure(response: httpx.Response) -> Failure | None:
    # The header may continue with a colon and a URL.
    name = response.headers.get("x-amzn-ErrorType", "").partition(":")[0]
    if name in _ACCOUNT_ERRORS:
        return Failure.DEFERRED
    message = text_of(document_of(response).get("message")) or ""
    if response.status_code == codes.TOO_MANY_REQUESTS and message.startswith("Daily message quota"):
        return Failure.DEFERRED
    return failure_of(response)


def _payload(message: Message, content: dict[str, object], to: str) -> dict[str, object]:
    payload: dict[str, object] = {
        # The name must be ASCII: this encodes any other letters (RFC 2047).
        "FromEmailAddress": formataddr((message.sender.name, message.sender.address)),
        "Destination": {"ToAddresses": [to]},
        "Content": {"Simple": content},
    }
    if message.reply_to is not None:
        payload["ReplyToAddresses"] = [message.reply_to]
    return payload


def _content(message: Message) -> dict[str, object]:
    body = {"Text": {"Data": message.text, "Charset": "UTF-8"}}
    if message.html is not None:
        body["Html"] = {"Data": message.html, "Charset": "UTF-8"}
    content: dict[str, object] = {
        "Subject": {"Data": message.subject, "Charset": "UTF-8"},
        "Body": body,
        # Prevents automatic replies (RFC 3834).
        "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
    }
    if message.attachments:
        content["Attachments"] = [
            {
                "FileName": attachment.filename,
                "RawContent": base64_of(attachment),
                "ContentType": attachment.content_type,
                "ContentDisposition": "ATTACHMENT",
                "ContentTransferEncoding": "BASE64",
            }
            for attachment in message.attachments
        ]
    return content


@asynccontextmanager
async def _open(runtime: Runtime) -> AsyncIterator[EmailProvider]:
    settings = runtime.resource(SesSettings)
    signer = AwsSigner(
        access_key_id=settings.SES_ACCESS_KEY_ID,
        secret_access_key=settings.SES_SECRET_ACCESS_KEY,
        region=settings.SES_REGION,
        service="ses",
    )
    async with api_client(settings.url, auth=AwsAuth(signer)) as client:
        yield SesEmail(client)


provider = EmailProviderSpec(name=NAME, settings=SesSettings, open=_open)
