"""Download a small JSON document from a server that may be slow, unavailable or compromised.

Why httpx and not `urllib` in a thread: a thread cannot be cancelled. A server that sends one byte at a time would
occupy the event loop's default executor, which file downloads share. A cancelled coroutine closes its socket. The
smallest project pays three packages for it (httpx, httpcore, certifi). Only host names are resolved elsewhere: by
uvloop's own threads, or by one thread of asyncio.
"""

import asyncio
import json
from typing import Final

import httpx

MAX_BYTES: Final = 256 * 1024
TIMEOUT_SECONDS: Final = 3.0
MAX_REDIRECTS: Final = 3
HEADERS: Final = {
    "Accept": "application/json",
    # The size limit counts the bytes that arrive, so they must not be compressed.
    "Accept-Encoding": "identity",
    # Some firewalls refuse requests without a name, or with the name of an HTTP library.
    "User-Agent": "jwks-client/1.0",
}


class FetchError(Exception):
    """The document could not be downloaded. The message states the reason, for the log."""


def open_client() -> httpx.AsyncClient:
    """Return a client for `fetch_json`. Keep it: loading the trusted certificates takes longer than a download."""
    # Downloads are minutes apart, so that an idle connection would only be closed by the server.
    return httpx.AsyncClient(headers=HEADERS, limits=httpx.Limits(max_connections=4, max_keepalive_connections=0))


async def fetch_json(
    client: httpx.AsyncClient,
    url: str,
    *,
    timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109 - a total deadline, which httpx does not have
    max_bytes: int = MAX_BYTES,
) -> object:
    """Return the JSON document at an http or https address.

    Args:
        timeout: seconds for everything: connecting, redirects and the last byte.
        max_bytes: a longer document is an error and is not parsed.

    Raises:
        FetchError: the download failed, took too long, was too large, or is not JSON.
    """
    try:
        async with asyncio.timeout(timeout):
            body = await _follow(client, httpx.URL(url), max_bytes)
        document: object = json.loads(body)
    except TimeoutError:
        raise FetchError(f"no answer within {timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
        raise FetchError(f"{type(error).__name__}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise FetchError("the answer is not JSON") from error
    return document


async def _follow(client: httpx.AsyncClient, url: httpx.URL, max_bytes: int) -> bytes:
    """Follow at most three redirects, none of which changes the scheme."""
    scheme = url.scheme
    for _ in range(MAX_REDIRECTS + 1):
        async with client.stream("GET", url, timeout=None) as response:
            if not response.has_redirect_location:
                return await _read(response, max_bytes)
            url = url.join(response.headers["Location"])
        if url.scheme != scheme:
            raise FetchError("redirected to another scheme")
    raise FetchError("too many redirects")


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    response.raise_for_status()
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError("the answer is compressed, although no compression was accepted")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise FetchError(f"the answer is longer than {max_bytes} bytes")
    return bytes(body)
