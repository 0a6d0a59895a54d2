"""A user's requests to language models: limited, and metered by the plan. They hold no database connection."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self
from uuid import UUID

import structlog
from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from app.ai.disconnect import while_connected
from app.ai.errors import AITimeoutError, ConcurrencyLimitError
from app.ai.port import Completion, Part
from app.ai.settings import AISettings
from app.core.errors import ServiceUnavailableError, UnauthorizedError
from app.core.ports.plans import Reservation
from app.core.runtime import Runtime
from app.users.caller_sources import CallerSources
from app.users.errors import AccountDeactivatedError
from app.users.identities import is_active_user

logger = structlog.stdlib.get_logger(__name__)

RESOURCE: Final = "ai_requests"
"""The resource that the plan meters."""
LEASE_MARGIN: Final = timedelta(minutes=1)
"""A lease outlives the deadline of its answer by this, so that it never expires while the answer is in progress."""
ACCESS_CHECK_TIMEOUT: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerLimits:
    """The limits of a user's answers.

    Attributes:
        max_concurrent: maximum number of answers in progress.
        total_timeout: maximum duration of an answer.
    """

    max_concurrent: int
    total_timeout: timedelta

    @classmethod
    def of(cls, settings: AISettings) -> Self:
        """Return the limits of the settings."""
        total_timeout = timedelta(seconds=settings.AI_TOTAL_TIMEOUT_SECONDS)
        return cls(max_concurrent=settings.AI_MAX_CONCURRENT_ANSWERS, total_timeout=total_timeout)


@dataclass(frozen=True, kw_only=True, slots=True)
class StartedAnswer:
    """A streamed answer whose first part has arrived.

    Attributes:
        first: the first part.
        rest: the other parts. Closing it ends the call to the provider.
        deadline: when the answer must have ended, by the event loop's clock.
        check_access: raises an `AppError` if the user may no longer read the answer.
        release: must be called at the end of the answer.
    """

    first: Part
    rest: AsyncGenerator[Part, None]
    deadline: float
    check_access: Callable[[], Awaitable[None]]
    release: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AnswerService:
    """The answers to one HTTP request. Failed calls aren't metered, and a client that disconnects ends its call."""

    request: Request
    runtime: Runtime
    user_id: UUID
    limits: AnswerLimits
    impersonation_id: UUID | None = None

    async def complete(self, ask: Callable[[], Coroutine[object, object, Completion]]) -> Completion:
        """Return the complete answer.

        Raises:
            ConcurrencyLimitError: the user has AI_MAX_CONCURRENT_ANSWERS answers in progress.
            QuotaExceededError: the plan allows no more requests.
            AITimeoutError: the answer took longer than AI_TOTAL_TIMEOUT_SECONDS.
        """
        lease_id, deadline = await self._acquire()
        try:
            async with self._metered(), _limited(deadline):
                return await while_connected(self.request, ask())
        finally:
            await self._release(lease_id)

    async def stream(self, ask: Callable[[], AsyncGenerator[Part, None]]) -> StartedAnswer:
        """Return an answer once its first part has arrived, so that earlier errors get an ordinary error response.

        Raises:
            ConcurrencyLimitError: the user has AI_MAX_CONCURRENT_ANSWERS answers in progress.
            QuotaExceededError: the plan allows no more requests.
            AITimeoutError: the first part took longer than AI_TOTAL_TIMEOUT_SECONDS.
        """
        lease_id, deadline = await self._acquire()
        try:
            async with self._metered(), _limited(deadline):
                parts = ask()
                first = await while_connected(self.request, _first(parts))
        except BaseException:
            await self._release(lease_id)
            raise
        return StartedAnswer(
            first=first,
            rest=parts,
            deadline=deadline,
            check_access=self._check_access,
            release=lambda: self._release(lease_id),
        )

    async def _acquire(self) -> tuple[str, float]:
        limit, total_timeout = self.limits.max_concurrent, self.limits.total_timeout
        lifetime = total_timeout + LEASE_MARGIN
        lease_id = await self.runtime.leases.acquire(self._lease_key, limit=limit, lifetime=lifetime)
        if lease_id is None:
            raise ConcurrencyLimitError(limit)
        return lease_id, asyncio.get_running_loop().time() + total_timeout.total_seconds()

    async def _release(self, lease_id: str) -> None:
        await self.runtime.leases.release(self._lease_key, lease_id)

    @property
    def _lease_key(self) -> str:
        return f"ai:{self.user_id}"

    async def _check_access(self) -> None:
        """Raise an error if the user was deactivated or deleted, or the impersonation ended, since the start."""
        try:
            async with asyncio.timeout(ACCESS_CHECK_TIMEOUT):
                active = await is_active_user(self.runtime.database, self.user_id)
                ended = await self._impersonation_has_ended()
        except (SQLAlchemyError, ServiceUnavailableError, OSError) as error:
            # An outage of the database doesn't end answers; they have a deadline.
            logger.warning("ai_access_check_failed", error=type(error).__name__)
            return
        if not active:
            raise AccountDeactivatedError
        if ended:
            raise UnauthorizedError

    async def _impersonation_has_ended(self) -> bool:
        if self.impersonation_id is None:
            return False
        sources = self.runtime.resource(CallerSources)
        return bool(await sources.find_ended(self.runtime, [self.impersonation_id]))

    def _metered(self) -> AbstractAsyncContextManager[Reservation]:
        return self.runtime.metered(self.user_id, RESOURCE)


@asynccontextmanager
async def _limited(deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        raise AITimeoutError from None


async def _first(parts: AsyncGenerator[Part, None]) -> Part:
    return await anext(parts)
