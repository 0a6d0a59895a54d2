"""Errors that clients see. Raise one anywhere below a route; `core.http.error_handlers` renders it."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar


class AppError(Exception):
    """Base of all errors with a stable code.

    Rendered as `{"error": {"code", "message", "details", "request_id"}}` with the class's HTTP status.

    Args:
        message: one sentence for the reader, without secrets and without other users' data.
        details: machine-readable facts, JSON-serialisable.
        headers: HTTP headers that belong to the answer, such as `Retry-After`.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(
        self, message: str, *, details: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})


class BadRequestError(AppError):
    """The request is malformed."""

    status = 400
    code = "BAD_REQUEST"


class UnauthorizedError(AppError):
    """The caller is not authenticated (RFC 9110 §15.5.2)."""

    status = 401
    code = "UNAUTHORIZED"

    def __init__(self, message: str = "A valid bearer token is required.") -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})


class QuotaExceededError(AppError):
    """The user's plan allows no more of a resource.

    Args:
        resource: the limit's name, such as `ai_requests`.
        plan: the user's plan.
        limit: the plan's limit.
        used: how much of it is in use.
        resets_at: when a counter starts at zero again; `None` if the user has to delete something instead.
    """

    status = 402
    code = "QUOTA_EXCEEDED"

    def __init__(self, resource: str, *, plan: str, limit: int, used: int, resets_at: datetime | None) -> None:
        hint = "Delete some, or upgrade." if resets_at is None else "Upgrade, or wait for the next period."
        super().__init__(
            f"Your plan's limit is reached. {hint}",
            details={"resource": resource, "plan": plan, "limit": limit, "used": used, "resets_at": resets_at},
        )


class ForbiddenError(AppError):
    """The caller is authenticated but not allowed to do this."""

    status = 403
    code = "FORBIDDEN"


class NotFoundError(AppError):
    """The resource doesn't exist or isn't visible to the caller: `raise NotFoundError("Project", id)`."""

    status = 404
    code = "NOT_FOUND"

    def __init__(self, resource: str, id: object | None = None) -> None:  # noqa: A002 - the argument's natural name
        details = {"resource": resource} if id is None else {"resource": resource, "id": str(id)}
        super().__init__(f"{resource} not found.", details=details)


class ConflictError(AppError):
    """The request conflicts with the current state."""

    status = 409
    code = "CONFLICT"


class PayloadTooLargeError(AppError):
    """The body is larger than MAX_BODY_SIZE."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"


class RateLimitedError(AppError):
    """Too many requests (RFC 6585 §4)."""

    status = 429
    code = "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many requests. Try again in {retry_after} seconds.",
            details={"retry_after": retry_after},
            headers={"Retry-After": str(retry_after)},
        )


class ServiceUnavailableError(AppError):
    """A service that this application depends on does not answer.

    Args:
        retry_after: the delay before a retry makes sense, if known; sent in the header `Retry-After`.
    """

    status = 503
    code = "SERVICE_UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        named = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after.total_seconds()))}
        super().__init__(message, details=details, headers={**named, **(headers or {})})
        self.retry_after = retry_after
