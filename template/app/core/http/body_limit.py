"""Limits of a request's body: its size, and for JSON the number of values in it."""

import re
from collections.abc import Callable
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from app.core.errors import PayloadTooLargeError
from app.core.http.route_table import RouteTable
from app.core.runtime import Runtime

TOO_LARGE: Final = 413
MAX_DISCARDED: Final = 64 * 1024 * 1024
"""Bytes of a refused body that the server still receives and discards. Many clients send everything before they read:
if the server closed the connection while they send, they would see a reset instead of the error."""
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_MIN_VALUE_SIZE: Final = 2
"""Bytes of JSON that a value takes at least: a digit and a comma."""


class BodyLimit:
    """A route's own limit, in place of MAX_BODY_SIZE and MAX_JSON_VALUES. The route must read the body as a stream.

    Use: `@router.put("/files", dependencies=[Depends(BodyLimit(lambda runtime: 10_000_000))])`.
    """

    def __init__(self, limit: Callable[[Runtime], int]) -> None:
        self._limit = limit

    def bytes(self, runtime: Runtime) -> int:
        """Return the limit, read from the settings."""
        return self._limit(runtime)

    async def __call__(self) -> None:
        """Do nothing: the middleware has applied the limit by now."""


def refuse_declared_size(scope: Scope, length: int, default: int) -> PayloadTooLargeError | None:
    """Return the error for a request whose Content-Length is above its limit."""
    if length <= default or length <= (limit := _limit(scope, default)):
        return None
    # With `Connection: close`, the server does not receive the body.
    return PayloadTooLargeError(_too_large(limit), headers={"Connection": "close"} if length > MAX_DISCARDED else None)


def limited_receive(scope: Scope, receive: Receive, *, length: int | None, max_size: int, max_values: int) -> Receive:
    """Return a `receive` that raises once the body is above a limit; the same one where it cannot be.

    Args:
        scope: the request's.
        receive: the server's.
        length: the body's declared size, which the server enforces.
        max_size: bytes of a body of undeclared size.
        max_values: of a body of JSON.
    """
    if length is not None and (length <= max_values * _MIN_VALUE_SIZE or not _is_json(scope)):
        return receive
    return _LimitedBody(scope, receive, max_size if length is None else length, max_values)


class _LimitedBody:
    __slots__ = ("_limit", "_max_values", "_receive", "_received", "_scope", "_values")

    def __init__(self, scope: Scope, receive: Receive, max_size: int, max_values: int) -> None:
        self._scope = scope
        self._receive = receive
        self._limit = max_size
        self._max_values = max_values
        self._received = 0
        self._values: JsonValueCounter | None = None

    async def __call__(self) -> Message:
        """Receive the next part of the body.

        Raises:
            HTTPException: 413. FastAPI turns other errors that occur while it reads a body into a 400.
        """
        message = await self._receive()
        body = message.get("body", b"")
        if not body:
            return message
        if not self._received and _is_json(self._scope):
            self._values = JsonValueCounter()
        self._received += len(body)
        if self._received > self._limit:
            # The search for the route is put off until here: most bodies are small enough for every route.
            self._limit = _limit(self._scope, self._limit)
            if self._received > self._limit:
                raise _refusal(_too_large(self._limit))
        if self._values is not None:
            if b"\0" in body and _own_limit(self._scope) is None:
                # UTF-16 and UTF-32, which Python's parser would accept. JSON between systems is UTF-8 (RFC 8259 §8.1).
                raise HTTPException(400, "A request's JSON must be encoded as UTF-8.", headers={"Connection": "close"})
            self._values.feed(body)
            if self._values.count > self._max_values:
                if _own_limit(self._scope) is None:
                    raise _refusal(f"A request's JSON may have at most {self._max_values} values.")
                self._values = None
        return message


class JsonValueCounter:
    """A counter of the values in a JSON text that arrives in parts. It doesn't parse the text."""

    def __init__(self) -> None:
        self.count = 0
        self._in_string = False
        self._escaped = False

    def feed(self, part: bytes) -> None:
        """Add the next part. Every value follows a comma or an opening bracket that is outside of strings."""
        text = _ESCAPED.sub(b"", part[1:] if self._escaped else part)
        self._escaped = text.endswith(b"\\")
        pieces = text.split(b'"')
        outside = b"".join(pieces[self._in_string :: 2])
        self._in_string ^= len(pieces) % 2 == 0
        self.count += outside.count(b",") + outside.count(b"[") + outside.count(b"{")


def _limit(scope: Scope, default: int) -> int:
    own = _own_limit(scope)
    return default if own is None else own.bytes(cast("Runtime", scope["app"].state.runtime))


def _own_limit(scope: Scope) -> BodyLimit | None:
    routes = getattr(scope["app"].state, "routes", None)
    route = routes.find(scope) if isinstance(routes, RouteTable) else None
    if route is None:
        return None
    return next((item for item in reversed(route.dependencies) if isinstance(item, BodyLimit)), None)


def _is_json(scope: Scope) -> bool:
    """Return whether FastAPI may parse the body as JSON. A missing content type counts."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return b"json" in value.lower()
    return True


def _refusal(message: str) -> HTTPException:
    return HTTPException(TOO_LARGE, message, headers={"Connection": "close"})


def _too_large(limit: int) -> str:
    return f"A request's body may have at most {limit} bytes."
