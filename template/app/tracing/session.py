"""The HTTP session to the collector, which bounds the part of a response that is read."""

import time
from io import BytesIO
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

MAX_RESPONSE: Final = 64 * 1024
"""Bytes of a body that are read, so that its connection can be used again. A longer body ends the connection."""
RESPONSE_TIMEOUT: Final = 2.0
"""Seconds for a body. A slower one ends the connection."""


class BoundedAdapter(HTTPAdapter):
    """An adapter whose responses have no body: only the status and the headers of the collector matter.

    The library would read a body of any length into memory, and decompress it.
    """

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ANN401 - as the library types it
        """See `HTTPAdapter.build_response`."""
        discard_body(resp)
        response = super().build_response(req, resp)
        response.raw = BytesIO()
        return response


def bounded_session() -> requests.Session:
    """Return a session whose responses have no body."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter())
    return session


def discard_body(response: BaseHTTPResponse) -> None:
    """Read the body up to `MAX_RESPONSE`, without decompressing it. Close the connection if it does not end by then."""
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
