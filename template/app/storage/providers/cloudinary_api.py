"""A client of the parts of Cloudinary's Upload and Admin APIs that files need.

https://cloudinary.com/documentation/image_upload_api_reference and
https://cloudinary.com/documentation/admin_api
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from typing import IO, Any, Final

import httpx
from httpx import codes
from pydantic import SecretStr

from app.kit.resilience.resilient import Resilient
from app.storage.remote_errors import RemoteStorageError, is_transient, port_errors

NAME: Final = "cloudinary"
REQUEST_TIMEOUT: Final = timedelta(seconds=15)
"""Timeout of a small request, and of each read and write of a large one."""
UPLOAD_TIMEOUT: Final = timedelta(minutes=10)


def text_to_sign(parameters: Mapping[str, str]) -> str:
    """Return the text that a signature covers: all parameters except the file and the API key, sorted."""
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))


class CloudinaryApi:
    """A client that signs and sends requests.

    Args:
        url: the API's URL with version and cloud.
        key: the API key, which is public.
        secret: the API secret.
    """

    def __init__(self, *, url: str, key: str, secret: SecretStr) -> None:
        self.url = url
        self._key = key
        self._secret = secret
        self._calls = Resilient(NAME, transient=is_transient, timeout=UPLOAD_TIMEOUT)
        self._http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT.total_seconds())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep connections open for the duration of the block."""
        async with self._http:
            yield

    def signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters with the API key and a signature."""
        text = f"{text_to_sign(parameters)}{self._secret.get_secret_value()}"
        return {**parameters, "api_key": self._key, "signature": hashlib.sha256(text.encode()).hexdigest()}

    async def admin_get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Call the Admin API, which Cloudinary limits to a number of requests per hour.

        Raises:
            LookupError: the resource doesn't exist.
        """
        auth = httpx.BasicAuth(self._key, self._secret.get_secret_value())
        request = self._http.build_request("GET", f"{self.url}/{path}", params=query)
        with port_errors(NAME):
            return await self._calls.call(partial(self._send, request, auth))

    async def post(self, action: str, parameters: Mapping[str, str], file: IO[bytes] | None = None) -> dict[str, Any]:
        """Send a signed, idempotent request to the Upload API."""
        with port_errors(NAME):
            return await self._calls.call(partial(self._post, action, parameters, file))

    async def stream(self, url: str, headers: Mapping[str, str], size: int) -> AsyncIterator[bytes]:
        """Yield the content behind a link in chunks; nothing if it ends before the requested range.

        Raises:
            LookupError: the asset doesn't exist.
        """
        with port_errors(NAME):
            async with self._calls.guard():
                with _safe_errors():
                    async with self._http.stream("GET", url, headers=headers) as response:
                        if response.status_code == codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                            return
                        _check(response)
                        async for chunk in response.aiter_bytes(size):
                            yield chunk

    async def _post(self, action: str, parameters: Mapping[str, str], file: IO[bytes] | None) -> dict[str, Any]:
        if file is not None:
            file.seek(0)
        # Fields without a file name make it a multipart form even without a file.
        fields = {name: (None, value.encode()) for name, value in self.signed(parameters).items()}
        content = {} if file is None else {"file": ("file", file, "application/octet-stream")}
        request = self._http.build_request("POST", f"{self.url}/{action}", files={**fields, **content})
        return await self._send(request)

    async def _send(self, request: httpx.Request, auth: httpx.Auth | None = None) -> dict[str, Any]:
        with _safe_errors():
            response = await self._http.send(request, auth=auth)
            _check(response)
            try:
                found: dict[str, Any] = response.json()
            except ValueError:
                raise RemoteStorageError("NoJson", status=response.status_code) from None
            return found


def _check(response: httpx.Response) -> None:
    if response.status_code == codes.NOT_FOUND:
        raise LookupError
    response.raise_for_status()


@contextmanager
def _safe_errors() -> Iterator[None]:
    """Raise errors without the client library's messages."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise RemoteStorageError(type(error).__name__, status=error.response.status_code) from None
    except httpx.HTTPError as error:
        raise RemoteStorageError(type(error).__name__) from None
