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

type ImpersonationCheck = Callable[[Runtime, Collection[UUID]], Awaitable[Collection[UUID]]]
"""Return the ids whose impersonation is in effect."""


@dataclass(slots=True)
class CallerSources:
    """The sources by the provider of the identity, as a resource of the runtime. Modules add theirs in a lifespan.

    Attributes:
        impersonation_check: for connections that outlive the request with which they began; `None` if no one is
            impersonated.
    """

    by_provider: dict[str, CallerSource] = field(default_factory=dict)
    impersonation_check: ImpersonationCheck | None = None
