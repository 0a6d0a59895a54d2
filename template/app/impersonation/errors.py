"""Errors of impersonation."""

from app.auth.port import GenuineTokenError
from app.core.errors import ConflictError, ForbiddenError


class ImpersonationEndedError(GenuineTokenError):
    """The impersonation was stopped, has expired, or one of the two users may no longer take part in it."""

    code = "IMPERSONATION_ENDED"

    def __init__(self, subject: str) -> None:
        super().__init__(
            "This impersonation has ended. An administrator can start a new one.", subject=subject, reason="ended"
        )


class AdminNotImpersonatedError(ForbiddenError):
    """Administrators cannot be impersonated."""

    code = "ADMIN_NOT_IMPERSONATED"

    def __init__(self) -> None:
        super().__init__("Administrators cannot be impersonated.")


class InactiveUserError(ConflictError):
    """The user is deactivated."""

    code = "USER_INACTIVE"

    def __init__(self) -> None:
        super().__init__("This user is deactivated. Activate the user first.")
