"""The header `traceparent` of W3C trace context: https://www.w3.org/TR/trace-context/.

By default, it is sent to no other system: third parties do not need the ids.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
from opentelemetry.trace import SpanContext, TraceFlags

from app.core.context import TRACEPARENT_LENGTH, TraceIds, traceparent
from app.kit.urls import check_origin

MAX_LENGTH: Final = 256
"""A later version may append fields."""
_FORM: Final = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1


def parse_traceparent(value: str | None) -> TraceIds | None:
    """Return the ids in a `traceparent` header, or `None` if it is absent or invalid."""
    if value is None or not TRACEPARENT_LENGTH <= len(value) <= MAX_LENGTH:
        return None
    match = _FORM.fullmatch(value)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "00" and more is not None:
        return None
    return TraceIds(trace_id=trace_id, span_id=span_id, sampled=bool(int(flags, 16) & _SAMPLED))


def span_context(ids: TraceIds, *, is_remote: bool) -> SpanContext:
    """Return the ids in the form of the OpenTelemetry SDK."""
    flags = TraceFlags(TraceFlags.SAMPLED if ids.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(ids.trace_id, 16), int(ids.span_id, 16), is_remote=is_remote, trace_flags=flags)


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
