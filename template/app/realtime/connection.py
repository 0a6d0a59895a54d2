"""One connection: what it sends, in order and bounded, and how it ends."""

import asyncio
import time
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from starlette.types import Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from uuid_utils import uuid7

from app.core.context import context_of
from app.realtime.close_codes import TOO_SLOW, Close
from app.realtime.limits import CLOSE_TIMEOUT, MAX_QUEUED_BYTES, MESSAGE_BURST, MESSAGES_PER_SECOND, SEND_TIMEOUT
from app.realtime.protocol import Message
from app.users.caller import Caller

_GONE = (WebSocketDisconnect, RuntimeError, OSError)
"""Raised when something is sent to a closed connection."""


type Frame = MutableMapping[str, Any]
"""An ASGI message with a text. All connections may get the same one."""


def frame_of(text: str) -> Frame:
    """Return the frame of a text."""
    return {"type": "websocket.send", "text": text}


def size_of(text: str) -> int:
    """Return the number of bytes of a text in UTF-8."""
    # Known without a look at the text.
    return len(text) if text.isascii() else len(text.encode())


def room_of(user_id: UUID) -> str:
    """Return the room whose members are the user's connections."""
    return f"connections:{user_id}"


class Connection:
    """An accepted WebSocket.

    Attributes:
        caller: the user, as of the latest token.
        expires_at: the expiry of the latest token, as a Unix timestamp; `None` if it has none.
        room: where the connections of the user are counted.
        is_new: whether the user's account has not been compared with the caller yet.
    """

    def __init__(self, websocket: WebSocket, caller: Caller, expires_at: float | None) -> None:
        self.id = uuid7().hex
        self.caller = caller
        self.room = room_of(caller.id)
        self.expires_at = expires_at
        self.notified_of_expiry = False
        self.is_new = True
        self.connected_at = time.time()
        self.heard_at = self.pinged_at = time.monotonic()
        self._websocket = websocket
        self._serving = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        # Without the middleware around it, which has nothing to do once the connection is accepted.
        self._server_send: Send = context_of(websocket).server_send or websocket.send
        self._backlog: deque[Frame] = deque()
        self._backlog_size = 0
        self._writer: asyncio.Task[None] | None = None
        self._writing_since = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._cut = False
        self._allowance = float(MESSAGE_BURST)
        self._counted_at = self.heard_at

    def push(self, frame: Frame) -> None:
        """Send a frame. Returns at once; what the client does not read in time closes the connection with 1013."""
        if self._closing is not None:
            return
        if self._writer is not None:
            self._queue(frame)
            return
        # Usually the server takes the frame at once, and the task has ended before it was ever scheduled.
        task = asyncio.Task(self._write(frame), loop=self._loop, eager_start=True)
        if not task.done():
            self._writer = task
            self._writing_since = time.monotonic()

    def send(self, message: Message) -> None:
        """Send a message of the protocol. Returns at once."""
        self.push(frame_of(message.to_text()))

    async def drained(self) -> None:
        """Return when the server has taken every message, or the connection is being closed."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    def close(self, close: Close) -> None:
        """Close the connection. Returns at once. Messages that wait are dropped."""
        if self._closing is None:
            self._backlog.clear()
            self._backlog_size = 0
            self._closing = self._loop.create_task(self._close(close))

    @property
    def is_closing(self) -> bool:
        """Whether nothing more will be sent."""
        return self._closing is not None

    @property
    def was_cut(self) -> bool:
        """Whether the serving task was cancelled because the client did not take the close frame."""
        return self._cut

    def hear(self) -> bool:
        """Count a message of the client. Return whether the client is within its rate limit."""
        now = self.heard_at = time.monotonic()
        earned = (now - self._counted_at) * MESSAGES_PER_SECOND
        self._counted_at = now
        self._allowance = min(self._allowance + earned, MESSAGE_BURST) - 1
        return self._allowance >= 0

    def is_stuck(self, now: float) -> bool:
        """Return whether the client has not read a message in time."""
        return self._writer is not None and now - self._writing_since > SEND_TIMEOUT

    def release(self) -> None:
        """Let the serving task finish: it has stopped serving, and is no longer cancelled."""
        self._serving = None

    async def end(self) -> None:
        """Wait until the connection is closed, and stop writing."""
        if self._closing is not None:
            await asyncio.wait({self._closing})
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})

    def _queue(self, frame: Frame) -> None:
        self._backlog_size += size_of(frame["text"])
        if self._backlog_size > MAX_QUEUED_BYTES:
            self.close(TOO_SLOW)
        else:
            self._backlog.append(frame)

    async def _write(self, frame: Frame) -> None:
        try:
            await self._server_send(frame)
            while self._backlog:
                self._writing_since = time.monotonic()
                frame = self._backlog.popleft()
                self._backlog_size -= size_of(frame["text"])
                await self._server_send(frame)
        except _GONE:
            # The serving task learns it from the socket.
            self._backlog.clear()
        finally:
            self._writer = None

    async def _close(self, close: Close) -> None:
        with suppress(*_GONE, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._websocket.close(close.code, close.reason)
                return
        if self._serving is not None and not self._serving.done():
            self._cut = True
            self._serving.cancel()
