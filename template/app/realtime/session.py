"""Serve one connection: read the client's messages until either side closes."""

import asyncio
from typing import Final

import structlog
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.auth.port import InvalidTokenError
from app.core.errors import AppError
from app.core.ports.streams import StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime.channels import Channels
from app.realtime.close_codes import ACCESS_CHANGED, INTERNAL, NOT_TEXT, POLICY, TOKEN_EXPIRED, TOO_LARGE
from app.realtime.connection import Connection, frame_of, size_of
from app.realtime.handshake import expiry_of
from app.realtime.hub import Hub
from app.realtime.limits import HEARTBEAT_INTERVAL, MAX_CHANNELS, MAX_MESSAGE_BYTES
from app.realtime.protocol import (
    CLIENT_MESSAGE,
    Authenticate,
    Authenticated,
    ClientMessage,
    Ping,
    Pong,
    Problem,
    Subscribe,
    Unsubscribe,
    Welcome,
)
from app.users.dependencies import identify

logger = structlog.stdlib.get_logger(__name__)

_PONG: Final = frame_of(Pong().to_text())


class Session:
    """The conversation with one client."""

    def __init__(self, runtime: Runtime, hub: Hub, websocket: WebSocket, connection: Connection) -> None:
        self._runtime = runtime
        self._channels = runtime.resource(Channels)
        self._hub = hub
        self._websocket = websocket
        self._connection = connection

    async def run(self) -> None:
        """Serve the connection until it is closed."""
        self._connection.send(Welcome(connection_id=self._connection.id, heartbeat=HEARTBEAT_INTERVAL))
        try:
            while await self._serve_next():
                pass
        except WebSocketDisconnect:
            pass
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._connection.was_cut or task is None:
                raise
            task.uncancel()
        except Exception:
            # Without this, the server would cut the connection without a close frame.
            logger.exception("realtime_connection_failed")
            self._connection.close(INTERNAL)

    async def _serve_next(self) -> bool:
        """Serve the next message. Return whether the connection is still open."""
        received = await self._websocket.receive()
        if received["type"] == "websocket.disconnect":
            return False
        text = received.get("text")
        allowed = self._connection.hear()
        if text is None:
            self._connection.close(NOT_TEXT)
        elif size_of(text) > MAX_MESSAGE_BYTES:
            self._connection.close(TOO_LARGE)
        elif not allowed:
            self._connection.close(POLICY)
        else:
            await self._handle(text)
        # After a close, the disconnect follows.
        return True

    async def _handle(self, text: str) -> None:
        try:
            message = CLIENT_MESSAGE.validate_json(text)
        except ValidationError:
            self._refuse("INVALID_MESSAGE", "The message is not one of the protocol.")
            return
        channel = message.channel if isinstance(message, Subscribe | Unsubscribe) else None
        try:
            await self._dispatch(message)
        except AppError as error:
            self._refuse(error.code, error.message, channel)
        except StreamsUnavailableError:
            self._refuse("SERVICE_UNAVAILABLE", "Events are unavailable at the moment. Try again.", channel)

    async def _dispatch(self, message: ClientMessage) -> None:
        match message:
            case Subscribe():
                await self._subscribe(message)
            case Unsubscribe():
                for subscription in self._hub.subscriptions_of(self._connection):
                    if subscription.channel.name == message.channel:
                        await self._hub.unsubscribe(subscription)
            case Authenticate():
                await self._authenticate(message.token)
            case Ping():
                self._connection.push(_PONG)
            case Pong():
                pass

    async def _subscribe(self, message: Subscribe) -> None:
        subscribed = [each.channel.name for each in self._hub.subscriptions_of(self._connection)]
        if message.channel in subscribed:
            self._refuse("ALREADY_SUBSCRIBED", "The connection is subscribed to the channel.", message.channel)
            return
        if len(subscribed) >= MAX_CHANNELS:
            self._refuse("TOO_MANY_CHANNELS", f"A connection can have {MAX_CHANNELS} channels.", message.channel)
            return
        channel = self._channels.find(message.channel, self._connection.caller.id)
        if channel is None or not await channel.admits(self._runtime, self._connection.caller):
            # The same answer for both: a name must not tell whether something exists.
            self._refuse("CHANNEL_FORBIDDEN", "There is no such channel, or you may not read it.", message.channel)
            return
        await self._hub.subscribe(self._connection, channel, message.position)

    async def _authenticate(self, token: str) -> None:
        try:
            caller = await identify(self._websocket, self._runtime, token)
        except InvalidTokenError:
            self._connection.close(TOKEN_EXPIRED)
            return
        before = self._connection.caller
        if (caller.id, caller.impersonator_id, caller.role) != (before.id, before.impersonator_id, before.role):
            self._connection.close(ACCESS_CHANGED)
            return
        self._connection.caller = caller
        self._connection.expires_at = expiry_of(token)
        self._connection.notified_of_expiry = False
        self._connection.send(Authenticated())

    def _refuse(self, code: str, message: str, channel: str | None = None) -> None:
        self._connection.send(Problem(code=code, message=message, channel=channel))
