"""Other ways to find the caller of a request than by the identity of a user."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from uuid import UUID

from starlette.requests import HTTPConnection

from app.auth.port import Identity
from app.core.runtime import Runtime
from app.users.caller import Caller

type CallerSource = Callable[[Runtime, HTTPConnection, Identity], Awaitable[Caller]]
"""Return the caller whom a verified token stands for. It raises a `GenuineTokenError` if there is none."""

type FindEnded = Callable[[Runtime, Collection[UUID]], Awaitable[frozenset[UUID]]]
"""Return which ids of `Caller.impersonation_id` are no longer in effect."""


async def _none(_runtime: Runtime, _ids: Collection[UUID]) -> frozenset[UUID]:
    return frozenset()


@dataclass(slots=True)
class CallerSources:
    """The sources by the provider of the identity, as a resource of the runtime. Modules add theirs in a lifespan.

    Attributes:
        find_ended: for work that goes on after a request began.
    """

    by_provider: dict[str, CallerSource] = field(default_factory=dict)
    find_ended: FindEnded = _none
