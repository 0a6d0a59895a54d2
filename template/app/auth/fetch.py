"""Reads a small JSON document from a server that may be slow, down, or wrong. Standard library only."""

import asyncio
import json
import time
from functools import cache
from http.client import HTTPException, HTTPMessage
from typing import IO, override
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

MAX_BYTES = 256 * 1024
TIMEOUT_SECONDS = 3.0


class FetchError(Exception):
    """The document could not be had; the message says why, for the log."""


class _SameScheme(HTTPRedirectHandler):
    """Follows at most three redirects, none of which leaves https."""

    max_redirections = 3

    @override
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            raise HTTPError(req.full_url, code, "redirected to another scheme", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


async def fetch_json(url: str, *, timeout: float = TIMEOUT_SECONDS, max_bytes: int = MAX_BYTES) -> object:  # noqa: ASYNC109 - bounds the thread too, which a cancelled await leaves behind
    """The document at an http(s) address, read in a thread so that a slow server holds nobody else up.

    Args:
        timeout: seconds for all of it.
        max_bytes: a longer answer is an error.

    Raises:
        FetchError: it could not be had, is too long, or is not JSON.
    """
    try:
        async with asyncio.timeout(timeout):
            body = await asyncio.to_thread(_read, url, timeout, max_bytes)
        document: object = json.loads(body)
    except TimeoutError:
        raise FetchError(f"no answer within {timeout:g} s") from None
    except (OSError, HTTPException) as error:
        raise FetchError(f"{type(error).__name__}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise FetchError("the answer is not JSON") from error
    return document


@cache
def _opener() -> OpenerDirector:
    """Made once: reading the certificates that it trusts takes longer than a fetch."""
    return build_opener(_SameScheme)


def _read(url: str, timeout: float, max_bytes: int) -> bytes:
    deadline = time.monotonic() + timeout
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - settings allow http and https only
    try:
        opened = _opener().open(request, timeout=timeout)
    except HTTPError as error:
        error.close()  # It is a response as well, and holds the connection.
        raise
    with opened as response:
        body = bytearray()
        while chunk := response.read1(65536):
            body += chunk
            if len(body) > max_bytes:
                raise FetchError(f"the answer is longer than {max_bytes} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(body)
