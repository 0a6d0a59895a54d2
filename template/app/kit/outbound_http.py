"""Requests to URLs that come from settings or users, which must not reach private networks (SSRF).

The host is resolved, every address is checked, and the request goes to a checked address: a name that resolves
differently a moment later changes nothing. Redirects are not followed, and proxies of the environment are not used.
"""

import asyncio
import socket
import ssl
from datetime import timedelta
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self

import httpx

from app.kit.types.ip_addresses import is_public_address
from app.kit.types.web_url import check_http_url, check_public_http_url

TIMEOUT: Final = timedelta(seconds=10)
"""For everything: resolving the name, connecting, and the headers of the response. Its body is not read."""
MAX_ADDRESSES: Final = 4
"""Addresses of a host that are tried, if the first ones cannot be connected to."""
HEADERS: Final = {"User-Agent": "webhook-sender/1.0", "Accept-Encoding": "identity"}
LOCALHOST: Final = "localhost"


class OutboundHttpError(Exception):
    """The request was refused, failed or took too long. The message states the reason, for the log."""


def check_target(url: str, *, allow_loopback: bool = False) -> str:
    """Return the URL in its canonical form.

    Args:
        url: of the request.
        allow_loopback: also accept this machine, with `http` too. For developers' machines.

    Raises:
        ValueError: it is not an https URL with a public host.
    """
    checked = httpx.URL(check_http_url(url))
    if allow_loopback and _is_loopback(checked.host):
        return str(checked)
    if checked.scheme != "https":
        raise ValueError("must start with https://")
    return check_public_http_url(url)


class OutboundHttp:
    """A client for requests to URLs that are not trusted. Keep it open: loading the trusted certificates takes time.

    Args:
        allow_loopback: see `check_target`.
        timeout: of a request.
        verify: whose certificates are trusted; by default, those of the public authorities.
    """

    def __init__(
        self, *, allow_loopback: bool = False, timeout: timedelta = TIMEOUT, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._allow_loopback = allow_loopback
        self._timeout = timeout.total_seconds()
        self._verify = verify
        self._opened: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Send a POST request and return the status of the response.

        Raises:
            OutboundHttpError: the host is not public or does not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout):
                target = httpx.URL(check_target(url, allow_loopback=self._allow_loopback))
                return await self._post(target, body, headers)
        except TimeoutError:
            raise OutboundHttpError(f"no answer within {self._timeout:g} s") from None
        except ValueError as error:
            raise OutboundHttpError(f"the URL {error}") from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            # The text of the error may contain the URL, which may contain a secret.
            raise OutboundHttpError(type(error).__name__) from None

    async def _post(self, url: httpx.URL, body: bytes, headers: dict[str, str]) -> int:
        addresses = await self._addresses(url)
        for number, address in enumerate(addresses, 1):
            try:
                return await self._post_to(address, url, body, headers)
            except httpx.ConnectError:
                # Nothing was sent.
                if number == len(addresses):
                    raise
        raise OutboundHttpError("the host has no address")

    async def _addresses(self, url: httpx.URL) -> list[str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        is_local = self._allow_loopback and _is_loopback(url.host)
        is_allowed = _is_loopback if is_local else is_public_address
        if not all(map(is_allowed, addresses)):
            raise OutboundHttpError("the host has an address that is not public")
        return addresses[:MAX_ADDRESSES]

    async def _post_to(self, address: str, url: httpx.URL, body: bytes, headers: dict[str, str]) -> int:
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**HEADERS, **headers, "Host": url.netloc.decode()},
            # The certificate is that of the name.
            extensions={"sni_hostname": url.host},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()
        return response.status_code

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            self._opened = httpx.AsyncClient(
                verify=self._verify,
                trust_env=False,
                follow_redirects=False,
                timeout=None,  # noqa: S113 - `post` has a total deadline
                # A connection belongs to an address: kept open, it would serve other names at that address.
                limits=httpx.Limits(max_connections=10, max_keepalive_connections=0),
            )
        return self._opened


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == LOCALHOST
