"""Send the trace context to another service of your own. By default, no system gets it.

The ids tell a third party nothing that it needs, and a service that is not ours could join our traces.
"""

from collections.abc import Awaitable, Callable

import httpx

from app.core.context import traceparent
from app.kit.urls import check_origin


def trace_context_for(origin: str) -> Callable[[httpx.Request], Awaitable[None]]:
    """Return a request hook for a client of httpx that adds `traceparent` to requests to one origin.

    Use: `httpx.AsyncClient(event_hooks={"request": [trace_context_for("https://billing.internal")]})`.

    Args:
        origin: scheme, host and port. Requests to others, such as after a redirect, are sent without the header.

    Raises:
        ValueError: it is not an origin.
    """
    allowed = _origin(httpx.URL(check_origin(origin)))

    async def add_header(request: httpx.Request) -> None:
        request.headers.pop("traceparent", None)
        value = traceparent()
        if value is not None and _origin(request.url) == allowed:
            request.headers["traceparent"] = value

    return add_header


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    # httpx leaves out the default port.
    return url.scheme, url.host, url.port
