"""One user's questions: counted by the plan, then asked, without a database connection in hand."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import Request

from app.ai.disconnect import while_connected
from app.ai.port import Completion, Part
from app.core.errors import AppError, QuotaExceededError
from app.core.runtime import Runtime

RESOURCE: Final = "ai_requests"
"""What the plan counts."""


@dataclass(frozen=True, slots=True)
class StartedAnswer:
    """An answer that has begun."""

    first: Part
    rest: AsyncGenerator[Part, None]


@dataclass(frozen=True, slots=True)
class AnswerService:
    """What one user asks with one request. What comes to nothing is not counted; who leaves ends the call."""

    request: Request
    runtime: Runtime
    user_id: UUID

    async def complete(self, ask: Callable[[], Coroutine[object, object, Completion]]) -> Completion:
        """The whole answer.

        Raises:
            QuotaExceededError: the plan allows no more.
        """
        async with self._counted():
            return await while_connected(self.request, ask())

    async def stream(self, ask: Callable[[], AsyncGenerator[Part, None]]) -> StartedAnswer:
        """An answer that has begun: what goes wrong before is raised here, and not in the midst of a stream.

        Raises:
            QuotaExceededError: the plan allows no more.
        """
        async with self._counted():
            parts = ask()
            first = await while_connected(self.request, _first(parts))
        return StartedAnswer(first, parts)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        runtime, user_id = self.runtime, self.user_id
        async with runtime.database.transaction() as session:
            if not await runtime.plans.consume(session, user_id, RESOURCE):
                raise QuotaExceededError(RESOURCE)
        try:
            yield
        except AppError:
            async with runtime.database.transaction() as session:
                await runtime.plans.give_back(session, user_id, RESOURCE)
            raise


async def _first(parts: AsyncGenerator[Part, None]) -> Part:
    return await anext(parts)
