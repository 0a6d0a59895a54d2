"""uvicorn's HTTP protocol with limits: the size of headers, the number of connections, and a deadline for every wait.

uvicorn itself waits without end for headers, bodies and clients that do not read (its issue 157).
"""

import asyncio
from enum import Enum, auto
from math import inf
from typing import Any

import uvicorn
from pydantic_core import to_json
from uuid_utils import uuid7
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.core.http.server.host_header import HOST_REQUIRED, has_valid_host
from app.core.http.server.limits import MAX_HEADERS, MIN_RATE, ConnectionLimits
from app.core.http.server.websocket import LimitedWebSocket
from app.core.http.server.websocket_handshake import handshake_problem
from app.core.http.server.write_deadline import WriteDeadline

BAD_REQUEST, REQUEST_TIMEOUT, HEADERS_TOO_LARGE, UNAVAILABLE = 400, 408, 431, 503


class LimitedConfig(uvicorn.Config):
    """uvicorn's configuration with the limits of connections.

    Attributes:
        limits: of each connection and of their number.
        waiting: the connections that have no complete request, the one that waits longest first.
    """

    def __init__(self, app: Any, *, limits: ConnectionLimits, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(
            app,
            http=LimitedProtocol,
            ws=LimitedWebSocket,
            timeout_keep_alive=limits.keep_alive_timeout,
            access_log=False,
            # Compression more than doubles the memory of a connection.
            ws_per_message_deflate=False,
            **options,
        )
        self.limits = limits
        self.waiting: dict[LimitedProtocol, None] = {}


class Phase(Enum):
    """The phase of a connection."""

    IDLE = auto()
    HEADERS = auto()
    BODY = auto()
    RESPONSE = auto()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `LimitedServer` calls `enforce_deadlines` regularly: cheaper than a timer for each request."""

    def __init__(
        self,
        config: LimitedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._waiting = config.waiting
        self._phase = Phase.IDLE
        self._deadline = inf
        self._running: RequestResponseCycle | None = None
        """The request that is being served; with a pipeline, not the latest one."""
        self._begun = False
        """Whether a part of a request's headers has arrived."""
        self._unparsed = 0
        """Bytes received since the parser last completed something: a header or a trailer may never end."""
        self._header_size = 0
        self._headers_too_large = False
        self._has_invalid_host = False
        self._write_deadline = WriteDeadline(config.limits.write_timeout)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request. Above the limit, the connection that has waited longest makes room."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            longest = next(iter(self._waiting), None)
            if longest is None:
                self.refuse(UNAVAILABLE, "SERVICE_UNAVAILABLE", "Too many connections. Try again later.")
                return
            longest.abandon()
        self._enter(Phase.HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        self._waiting.pop(self, None)
        self._disconnect_running()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to uvicorn's WebSocket protocol, which has deadlines of its own."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.refuse(BAD_REQUEST, "BAD_REQUEST", "A WebSocket's handshake must follow a complete response.")
            return
        if (problem := handshake_problem(self.scope["method"], self.headers)) is not None:
            self.refuse(BAD_REQUEST, "BAD_REQUEST", problem)
            return
        self._waiting.pop(self, None)
        super().handle_websocket_upgrade()
        if not getattr(self.transport.get_protocol(), "handshake_initiated", True):
            # It ignores what it cannot parse, such as a handshake with a body, and would keep the connection for ever.
            self.transport.write(_response(BAD_REQUEST, "BAD_REQUEST", "The WebSocket's handshake is malformed."))
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol.data_received`."""
        self._unparsed += len(data)
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEADERS)
        super().data_received(data)
        if self._unparsed > self._limits.max_header_size:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        """See httptools."""
        self._unparsed = self._header_size = 0
        self._begun = True
        # Idle: the rest of a body that was answered early, and the next request, arrived together.
        if self._phase in {Phase.RESPONSE, Phase.IDLE}:
            self._enter(Phase.HEADERS)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        super().on_url(url)
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. Trailers, which follow a chunked body, are counted and dropped."""
        self._count_header(len(name) + len(value))
        if self._phase is Phase.HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools. A request without a valid `Host` is not served: a proxy might take it for another site's."""
        self._unparsed = 0
        self._begun = False
        if not has_valid_host(self.headers, self.parser.get_http_version()):
            self._has_invalid_host = True
            raise ValueError(HOST_REQUIRED)
        self._enter(Phase.BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See httptools. A body extends its deadline by `MIN_RATE`, but a burst must not pay for a long silence."""
        self._unparsed = 0
        if not self._is_answered:
            latest = self.loop.time() + self._limits.body_timeout
            self._deadline = min(self._deadline + len(body) / MIN_RATE, latest)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._unparsed = 0
        self._enter(Phase.IDLE if self._is_answered else Phase.RESPONSE)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless a part of it or of this request's body is still arriving."""
        super().on_response_complete()
        if self._phase is Phase.RESPONSE and not self.pipeline:
            self._enter(Phase.IDLE)
        elif self._phase is Phase.BODY and self._is_answered:
            # What still arrives is dropped. Only this long, so that the client has time to read the answer.
            self._deadline = self.loop.time() + self._limits.body_timeout
            self._waiting[self] = None

    def resume_writing(self) -> None:
        """See `asyncio.Protocol.resume_writing`."""
        self._write_deadline.reset()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse input that is not HTTP, or that a callback above has refused, with the common error format."""
        if self._headers_too_large:
            self._refuse_headers()
        else:
            self.refuse(BAD_REQUEST, "BAD_REQUEST", HOST_REQUIRED if self._has_invalid_host else msg)

    def enforce_deadlines(self, now: float) -> None:
        """End the connection if the client has exceeded a deadline.

        Args:
            now: the event loop's time.
        """
        if self._write_deadline.is_exceeded(self.transport.get_write_buffer_size(), now):
            self.transport.abort()
        elif now > self._deadline:
            if self._phase is Phase.BODY and self._is_answered:
                self.abandon()
            elif self._phase is Phase.BODY and self.flow.read_paused:
                # The application has not asked for more.
                self._deadline = now + self._limits.body_timeout
            elif self._phase is Phase.BODY or self._begun:
                self.refuse(REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "The request did not arrive in time.")
            else:
                self.abandon()

    def abandon(self) -> None:
        """Close the connection, without a response to a partly received request."""
        self._waiting.pop(self, None)
        self.transport.close()

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer with an error, unless a response has begun, and close the connection."""
        self._waiting.pop(self, None)
        if self.transport.is_closing():
            return
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        # With a pipeline, the response to an earlier request is under way.
        if not self.pipeline and not (under_way and cycle.response_started):
            self.transport.write(_response(status, code, message))
        self._disconnect_running()
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect_running(self) -> None:
        """Have the application receive a disconnect; it then sends nothing more. uvicorn tells only the latest one."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    @property
    def _is_answered(self) -> bool:
        """Whether the latest request has got its whole response."""
        return self.cycle is not None and self.cycle.response_complete

    def _refuse_headers(self) -> None:
        limit = self._limits.max_header_size
        message = f"A request may have at most {limit} bytes of headers, and {MAX_HEADERS} of them."
        self.refuse(HEADERS_TOO_LARGE, "HEADERS_TOO_LARGE", message)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        if phase in {Phase.IDLE, Phase.HEADERS}:
            self._waiting[self] = None
        else:
            self._waiting.pop(self, None)
        if phase is Phase.HEADERS:
            self._deadline = self.loop.time() + self._limits.header_timeout
        elif phase is Phase.BODY:
            self._deadline = self.loop.time() + self._limits.body_timeout
        elif phase is Phase.IDLE:
            # uvicorn's own timer does not run where a body ends after its response.
            self._deadline = self.loop.time() + self._limits.keep_alive_timeout
        else:
            self._deadline = inf

    def _count_header(self, size: int) -> None:
        self._header_size += size
        if self._header_size > self._limits.max_header_size or len(self.headers) >= MAX_HEADERS:
            self._headers_too_large = True
            raise ValueError("The headers are too large.")  # httptools makes it an error of the parser.


def _response(status: int, code: str, message: str) -> bytes:
    request_id = uuid7().hex
    content = to_json({"error": {"code": code, "message": message, "details": {}, "request_id": request_id}})
    head = (
        b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %s\r\n"
        b"x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return STATUS_LINE[status] + head % (len(content), request_id.encode()) + content
