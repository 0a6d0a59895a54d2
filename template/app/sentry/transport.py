"""The HTTP connection to Sentry, which bounds the part of a response that is read."""

import time
from collections.abc import Mapping
from typing import Any, Final

from sentry_sdk.consts import EndpointType
from sentry_sdk.transport import HttpTransport
from urllib3 import BaseHTTPResponse, HTTPResponse
from urllib3.exceptions import HTTPError

MAX_RESPONSE: Final = 64 * 1024
"""Bytes of a body that are read, so that its connection can be used again. A longer body ends the connection."""
RESPONSE_TIMEOUT: Final = 2.0
"""Seconds for a body. A slower one ends the connection."""


class BoundedTransport(HttpTransport):
    """A transport whose responses have no body: only the status and the headers of Sentry matter.

    The SDK would read a body of any length into memory, and decompress it.
    """

    def _request(
        self,
        method: str,
        endpoint_type: EndpointType,
        body: Any,  # noqa: ANN401 - as the library types it
        headers: Mapping[str, str],
    ) -> BaseHTTPResponse:
        """Send a request. Overrides the SDK's method, which has no option for it."""
        # Following a redirect would read its body.
        response = self._pool.request(
            method,
            self._auth.get_api_url(endpoint_type),
            body=body,
            headers=headers,
            redirect=False,
            preload_content=False,
        )
        _discard_body(response)
        return HTTPResponse(status=response.status, headers=response.headers, reason=response.reason)


def _discard_body(response: BaseHTTPResponse) -> None:
    deadline = time.monotonic() + RESPONSE_TIMEOUT
    left = MAX_RESPONSE
    try:
        while left > 0 and time.monotonic() < deadline:
            part = response.read1(left, decode_content=False)
            if not part:
                return
            left -= len(part)
    except HTTPError:
        # The status has arrived: a body that breaks off changes nothing.
        pass
    response.close()
