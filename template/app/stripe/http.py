"""The HTTP client that Stripe's library uses: httpx without redirects, and without the environment's proxies."""

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import httpx
import stripe

TIMEOUT: Final = httpx.Timeout(10, connect=5)


class StripeHttpClient(stripe.HTTPClient):
    """The library's own client sends the body in a way that httpx deprecates, and follows the environment."""

    name = "httpx"

    def __init__(self) -> None:
        super().__init__()
        self._client: httpx.AsyncClient | None = None

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,  # noqa: ANN401 - as in the library
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """See `stripe.HTTPClient.request_async`. The body is the form that the library encoded."""
        try:
            response = await self._opened().request(method, url, headers=headers, content=post_data or None)
        except httpx.HTTPError as error:
            raise stripe.APIConnectionError(type(error).__name__) from error  # type: ignore[no-untyped-call] # of the library
        return response.content, response.status_code, response.headers

    async def close_async(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        # Opened by the first request: reading the certificates takes longer than the rest of the application's start.
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False, verify=_tls())
        return self._client


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
