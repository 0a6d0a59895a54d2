"""Cloudinary's Upload and Admin API, as far as files need it.

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

from app.kit.resilience import Resilient
from app.storage.troubles import TroubleError, passes, unavailable

NAME: Final = "cloudinary"
PATIENCE: Final = timedelta(seconds=15)
"""How long a small request may take, and how long a large one may stand still."""
LONGEST_UPLOAD: Final = timedelta(minutes=10)


def text_to_sign(parameters: Mapping[str, str]) -> str:
    """All parameters but the file and the key, in order."""
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))


class CloudinaryApi:
    """Signs requests and sends them.

    Args:
        url: of the API, with version and cloud.
        key: the public half of the credentials.
    """

    def __init__(self, *, url: str, key: str, secret: SecretStr) -> None:
        self.url = url
        self._key = key
        self._secret = secret
        self._calls = Resilient(NAME, transient=passes, timeout=LONGEST_UPLOAD)
        self._http = httpx.AsyncClient(timeout=PATIENCE.total_seconds())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keeps connections for the time of the block."""
        async with self._http:
            yield

    def signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters with what proves that they are ours."""
        text = f"{text_to_sign(parameters)}{self._secret.get_secret_value()}"
        return {**parameters, "api_key": self._key, "signature": hashlib.sha256(text.encode()).hexdigest()}

    async def administer(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the Admin API says, which Cloudinary limits to so many requests an hour.

        Raises:
            LookupError: there is no such thing.
        """
        auth = httpx.BasicAuth(self._key, self._secret.get_secret_value())
        request = self._http.build_request("GET", f"{self.url}/{path}", params=query)
        with unavailable(NAME):
            return await self._calls.call(partial(self._answer, request, auth))

    async def post(self, action: str, parameters: Mapping[str, str], file: IO[bytes] | None = None) -> dict[str, Any]:
        """What the Upload API says to a signed request that may be sent more than once."""
        with unavailable(NAME):
            return await self._calls.call(partial(self._post, action, parameters, file))

    async def stream(self, url: str, headers: Mapping[str, str], size: int) -> AsyncIterator[bytes]:
        """The content behind a link, in pieces; nothing where it ends before the range that was asked for.

        Raises:
            LookupError: there is none.
        """
        with unavailable(NAME):
            async with self._calls.guard():
                with _plain():
                    async with self._http.stream("GET", url, headers=headers) as answer:
                        if answer.status_code == codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                            return
                        _check(answer)
                        async for piece in answer.aiter_bytes(size):
                            yield piece

    async def _post(self, action: str, parameters: Mapping[str, str], file: IO[bytes] | None) -> dict[str, Any]:
        if file is not None:
            file.seek(0)
        # Fields without a file name: even without a file, it is a form in parts.
        fields = {name: (None, value.encode()) for name, value in self.signed(parameters).items()}
        content = {} if file is None else {"file": ("file", file, "application/octet-stream")}
        request = self._http.build_request("POST", f"{self.url}/{action}", files={**fields, **content})
        return await self._answer(request)

    async def _answer(self, request: httpx.Request, auth: httpx.Auth | None = None) -> dict[str, Any]:
        with _plain():
            answer = await self._http.send(request, auth=auth)
            _check(answer)
            try:
                found: dict[str, Any] = answer.json()
            except ValueError:
                raise TroubleError("NoJson", status=answer.status_code) from None
            return found


def _check(answer: httpx.Response) -> None:
    if answer.status_code == codes.NOT_FOUND:
        raise LookupError
    answer.raise_for_status()


@contextmanager
def _plain() -> Iterator[None]:
    """Raises errors without the client's texts."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise TroubleError(type(error).__name__, status=error.response.status_code) from None
    except httpx.HTTPError as error:
        raise TroubleError(type(error).__name__) from None
