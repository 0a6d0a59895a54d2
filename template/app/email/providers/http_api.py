"""The common part of providers with an HTTP API: one POST request, and what its response means for the email."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Final

import httpx
from httpx import codes
from pydantic import AfterValidator, SecretStr, ValidationInfo

from app.core.config.settings import Environment
from app.email.delivery import Failure, ProviderError
from app.email.port import Attachment
from app.kit.resilience.retry_after import parse_retry_after
from app.kit.urls import check_server_url

JSON_HEADERS: Final = {"Content-Type": "application/json"}
TIMEOUT: Final = httpx.Timeout(10, connect=5)

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REJECTED: Final = {
    codes.BAD_REQUEST,
    codes.CONFLICT,
    codes.REQUEST_ENTITY_TOO_LARGE,
    codes.UNPROCESSABLE_ENTITY,
}


def check_api_url(value: str, info: ValidationInfo) -> str:
    """Validate the base URL of an API, and return it without a trailing slash."""
    url = check_server_url(value)
    if not url.startswith("https://") and info.data.get("ENVIRONMENT") is not Environment.LOCAL:
        raise ValueError("must start with https:// outside local, because requests carry credentials")
    return url


ApiUrl = Annotated[str, AfterValidator(check_api_url)]


def failure_of(response: httpx.Response) -> Failure | None:
    """Return what a response's status means, or `None` if the email was accepted."""
    status = response.status_code
    if response.is_success:
        return None
    if status in {codes.TOO_MANY_REQUESTS, codes.SERVICE_UNAVAILABLE}:
        return Failure.TRANSIENT
    if response.is_server_error:
        return Failure.UNKNOWN
    return Failure.PERMANENT if status in _REJECTED else Failure.DEFERRED


def _encode(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class HttpApi:
    """A provider's API.

    Args:
        client: has the API's base URL and authenticates its requests.
        failure: maps a response to a failure, for an API whose status codes are not specific enough.
    """

    def __init__(
        self, client: httpx.AsyncClient, failure: Callable[[httpx.Response], Failure | None] = failure_of
    ) -> None:
        self._client = client
        self._failure = failure

    async def post(self, path: str, content: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post JSON and return the response that confirms that the email was accepted.

        Raises:
            ProviderError: the request failed, or the response reports a failure.
        """
        try:
            # Encoding large attachments takes long, so not on the event loop.
            body = await asyncio.to_thread(_encode, content)
            response = await self._client.post(path, content=body, headers={**JSON_HEADERS, **(headers or {})})
        except _NOTHING_SENT as error:
            raise ProviderError(Failure.TRANSIENT, type(error).__name__) from None
        except httpx.HTTPError as error:
            raise ProviderError(Failure.UNKNOWN, type(error).__name__) from None
        failure = self._failure(response)
        if failure is not None:
            pause = parse_retry_after(response.headers.get("Retry-After"))
            raise ProviderError(failure, str(response.status_code), retry_after=pause)
        return response


def document_of(response: httpx.Response) -> Mapping[str, object]:
    """Return the JSON object of a response, or an empty one if the body is anything else."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def objects_of(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a JSON list, in their order; an empty list if the value is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str | None:
    """Return a non-empty string of a JSON document, or `None`."""
    return value if isinstance(value, str) and value else None


def base64_of(attachment: Attachment) -> str:
    """Return the content of an attachment in base64."""
    return base64.b64encode(attachment.content).decode()


def bearer(key: SecretStr) -> dict[str, str]:
    """Return the headers that authenticate with a bearer token (RFC 6750)."""
    return {"Authorization": f"Bearer {key.get_secret_value()}"}


@asynccontextmanager
async def api_client(
    url: str, *, headers: Mapping[str, str] | None = None, auth: httpx.Auth | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that authenticates with fixed headers, or signs each request with `auth`."""
    async with httpx.AsyncClient(base_url=url, headers=headers, auth=auth, timeout=TIMEOUT) as client:
        yield client
