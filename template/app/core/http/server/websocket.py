"""uvicorn's WebSocket protocol with a deadline for clients that do not read."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from app.core.http.server.write_deadline import WriteDeadline

if TYPE_CHECKING:
    from app.core.http.server.protocol import LimitedConfig


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. uvicorn waits without end until a client that it disconnects has read everything."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._write_deadline = WriteDeadline(cast("LimitedConfig", config).limits.write_timeout)

    async def send(self, message: Any) -> None:  # noqa: ANN401 - uvicorn's own type is private
        """See the ASGI specification. A handshake that was refused with a response is complete.

        uvicorn takes it for one that was forgotten, and logs an error.
        """
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol.resume_writing`."""
        self._write_deadline.reset()
        super().resume_writing()

    def enforce_deadlines(self, now: float) -> None:
        """End the connection if the client has exceeded the deadline."""
        if self._write_deadline.is_exceeded(self.transport.get_write_buffer_size(), now):
            self.transport.abort()
