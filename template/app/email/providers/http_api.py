"""What providers with an HTTP API have in common: one POST, and what its answer means for the mail."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Final

import httpx
from httpx import codes
from pydantic import AfterValidator, SecretStr, ValidationInfo

from app.core.config.settings import Environment
from app.email.calls import Failure, ProviderError
from app.kit.resilience import named_pause

TIMEOUT: Final = httpx.Timeout(10, connect=5)

_URL: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_THIS_MAIL: Final = {
    codes.BAD_REQUEST,
    codes.CONFLICT,
    codes.REQUEST_ENTITY_TOO_LARGE,
    codes.UNPROCESSABLE_ENTITY,
}


def _api_url(value: str, info: ValidationInfo) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("has to be an address like https://api.example.com")
    if not value.startswith("https://") and info.data.get("ENVIRONMENT") is not Environment.LOCAL:
        raise ValueError("has to begin with https:// outside local: the key goes there")
    return value.rstrip("/")


ApiUrl = Annotated[str, AfterValidator(_api_url)]


def failure_of(response: httpx.Response) -> Failure | None:
    """What a status means; `None` where the mail was taken."""
    status = response.status_code
    if response.is_success:
        return None
    if status in {codes.TOO_MANY_REQUESTS, codes.SERVICE_UNAVAILABLE}:
        return Failure.DOWN
    if response.is_server_error:
        return Failure.UNKNOWN
    return Failure.FINAL if status in _THIS_MAIL else Failure.LATER


class HttpApi:
    """A provider's API.

    Args:
        client: with the API's address and the key.
        failure: reads an answer where the status alone does not say enough.
    """

    def __init__(
        self, client: httpx.AsyncClient, failure: Callable[[httpx.Response], Failure | None] = failure_of
    ) -> None:
        self._client = client
        self._failure = failure

    async def post(self, path: str, content: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer that says that the mail was taken.

        Raises:
            ProviderError: anything else.
        """
        try:
            response = await self._client.post(path, json=content, headers=headers)
        except _NOTHING_SENT as error:
            raise ProviderError(Failure.DOWN, type(error).__name__) from None
        except httpx.HTTPError as error:
            raise ProviderError(Failure.UNKNOWN, type(error).__name__) from None
        failure = self._failure(response)
        if failure is not None:
            pause = named_pause(response.headers.get("Retry-After"))
            raise ProviderError(failure, str(response.status_code), retry_after=pause)
        return response


def document_of(response: httpx.Response) -> Mapping[str, object]:
    """The JSON object of an answer; an empty one where there is none."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def text_of(value: object) -> str | None:
    """A string of an answer, or nothing."""
    return value if isinstance(value, str) and value else None


@asynccontextmanager
async def api_client(url: str, key: SecretStr) -> AsyncIterator[httpx.AsyncClient]:
    """A client that authenticates with the key."""
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT) as client:
        yield client
