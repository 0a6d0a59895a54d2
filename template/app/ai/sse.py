"""Answers as server-sent events: `delta` for each piece, at last `usage`, or `error` where it breaks off.

The data of each is one line of JSON, so that line breaks in a text are no line breaks of the stream.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from app.ai.gateway import Begun
from app.ai.port import Delta, Part
from app.ai.schemas import CompletionRead, DeltaRead
from app.core.context import context_of
from app.core.errors import AppError
from app.core.http.error_handlers import INTERNAL_MESSAGE, ErrorBody, ErrorResponse

logger = structlog.stdlib.get_logger(__name__)

SILENCE: Final = 15.0
"""Proxies hang up on those who say nothing for longer, often after half a minute."""


class EventStream(EventSourceResponse):
    """Sends the parts of an answer as they come. Whatever ends it, such as a client that leaves, ends the call.

    Args:
        begun: the answer.
        silence: seconds without a part after which a comment is sent.
    """

    def __init__(self, begun: Begun, *, silence: float = SILENCE) -> None:
        self._first = begun.first
        self._parts = begun.rest
        self._silence = silence
        self._next: asyncio.Task[Part] | None = None
        self._request_id = ""
        self._events = self._encoded()
        # For nginx, which would wait for more.
        super().__init__(self._events, headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the request."""
        self._request_id = context_of(scope).request_id
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._close()

    async def _encoded(self) -> AsyncGenerator[bytes, None]:
        yield _told(self._first)
        try:
            while True:
                self._next = self._next or asyncio.ensure_future(anext(self._parts))
                done, _ = await asyncio.wait({self._next}, timeout=self._silence)
                if not done:
                    yield KEEPALIVE_COMMENT
                    continue
                part = self._next.result()
                self._next = None
                yield _told(part)
        except StopAsyncIteration:
            return
        except AppError as error:
            yield self._error(error.code, error.message, error.details)
        except Exception:
            logger.exception("ai_stream_failed")
            yield self._error(AppError.code, INTERNAL_MESSAGE, {})

    def _error(self, code: str, message: str, details: dict[str, object]) -> bytes:
        body = ErrorBody(code=code, message=message, details=details, request_id=self._request_id)
        return _event("error", ErrorResponse(error=body))

    async def _close(self) -> None:
        await self._events.aclose()
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
        await self._parts.aclose()


def _told(part: Part) -> bytes:
    if isinstance(part, Delta):
        return _event("delta", DeltaRead(text=part.text))
    return _event("usage", CompletionRead.of(part))


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())
