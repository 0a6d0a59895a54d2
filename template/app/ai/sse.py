"""Answers as server-sent events: `delta` for each piece of text, then `usage`, or `error` if the answer breaks off.

The data of each event is one line of JSON, so line breaks in a text cannot end an event.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from app.ai.errors import AITimeoutError
from app.ai.port import Delta, Part
from app.ai.schemas import CompletionRead, DeltaRead
from app.ai.service import StartedAnswer
from app.core.context import context_of
from app.core.errors import AppError
from app.core.http.error_handlers import INTERNAL_MESSAGE, ErrorBody, ErrorResponse

logger = structlog.stdlib.get_logger(__name__)

KEEPALIVE_INTERVAL: Final = 15.0
"""Proxies close a connection that is idle for longer, often after half a minute."""
ACCESS_CHECK_INTERVAL: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamTiming:
    """Intervals and timeouts of a stream, in seconds.

    Attributes:
        write_timeout: how long the client may take to read a part.
        keepalive: after this time without a part, a comment is sent.
        access_check: how often the user's access is checked.
    """

    write_timeout: float
    keepalive: float = KEEPALIVE_INTERVAL
    access_check: float = ACCESS_CHECK_INTERVAL


class EventStream(EventSourceResponse):
    """A response that sends the parts of an answer as they arrive. When it ends, the provider's call ends too.

    It ends early if the client disconnects or stops reading, at the answer's deadline, or when the user loses access.
    """

    def __init__(self, answer: StartedAnswer, timing: StreamTiming) -> None:
        self._answer = answer
        self._timing = timing
        self._next: asyncio.Task[Part] | None = None
        self._request_id = ""
        self._events = self._encoded()
        # Keeps nginx from buffering.
        super().__init__(self._events, headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        self._request_id = context_of(scope).request_id

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._timing.write_timeout):
                    await send(message)
            except TimeoutError:
                logger.warning("ai_stream_not_read")
                raise ClientDisconnect from None

        try:
            await super().__call__(scope, receive, send_in_time)
        finally:
            await self._close()

    async def _encoded(self) -> AsyncGenerator[bytes, None]:
        try:
            yield _encode(self._answer.first)
            async with aclosing(self._parts()) as parts:
                async for part in parts:
                    yield KEEPALIVE_COMMENT if part is None else _encode(part)
        except AppError as error:
            yield self._error(error.code, error.message, error.details)
        except Exception:
            logger.exception("ai_stream_failed")
            yield self._error(AppError.code, INTERNAL_MESSAGE, {})

    async def _parts(self) -> AsyncGenerator[Part | None, None]:
        """Yield the other parts, and `None` when a keepalive comment is due."""
        now = asyncio.get_running_loop().time
        check_at, ping_at = now() + self._timing.access_check, now() + self._timing.keepalive
        while True:
            if now() >= self._answer.deadline:
                raise AITimeoutError
            if now() >= check_at:
                await self._answer.check_access()
                check_at = now() + self._timing.access_check
            if now() >= ping_at:
                yield None
                ping_at = now() + self._timing.keepalive
            self._next = self._next or asyncio.ensure_future(anext(self._answer.rest))
            wake_at = min(check_at, ping_at, self._answer.deadline)
            done, _ = await asyncio.wait({self._next}, timeout=max(0.0, wake_at - now()))
            if not done:
                continue
            try:
                part = self._next.result()
            except StopAsyncIteration:
                return
            finally:
                self._next = None
            yield part
            ping_at = now() + self._timing.keepalive

    def _error(self, code: str, message: str, details: dict[str, object]) -> bytes:
        body = ErrorBody(code=code, message=message, details=details, request_id=self._request_id)
        return _event("error", ErrorResponse(error=body))

    async def _close(self) -> None:
        try:
            await self._events.aclose()
            if self._next is not None:
                self._next.cancel()
                await asyncio.wait({self._next})
            await self._answer.rest.aclose()
        finally:
            await self._answer.release()


def _encode(part: Part) -> bytes:
    if isinstance(part, Delta):
        return _event("delta", DeltaRead(text=part.text))
    return _event("usage", CompletionRead.of(part))


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())
