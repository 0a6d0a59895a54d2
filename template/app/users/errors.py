"""Errors of the users' module."""

from collections.abc import Sequence
from uuid import UUID

from app.auth.port import AssuranceLevel, GenuineTokenError
from app.core.errors import AppError, ConflictError, ForbiddenError, UnauthorizedError


class AccountDeactivatedError(ForbiddenError):
    """The token is valid, but the account is deactivated."""

    code = "ACCOUNT_DEACTIVATED"

    def __init__(self, user_id: UUID | None = None) -> None:
        super().__init__("This account has been deactivated. Ask an administrator to activate it.")
        self.user_id = user_id


class TokenRevokedError(GenuineTokenError):
    """The token was issued before the user's tokens were revoked."""

    code = "TOKEN_REVOKED"

    def __init__(self, subject: str, user_id: UUID) -> None:
        super().__init__("The bearer token has been revoked. Sign in again.", subject=subject, reason="revoked")
        self.user_id = user_id


class AssuranceRequiredError(UnauthorizedError):
    """The user must sign in again with a stronger method (RFC 9470)."""

    code = "ASSURANCE_REQUIRED"

    def __init__(self, level: AssuranceLevel) -> None:
        super().__init__("This requires two-factor authentication. Sign in again with a second factor.")
        self.details = {"required": level}
        self.headers["WWW-Authenticate"] = f'Bearer error="insufficient_user_authentication", acr_values="{level}"'


class AdminRequiredError(ForbiddenError):
    """The user is not an administrator."""

    code = "ADMIN_REQUIRED"

    def __init__(self) -> None:
        super().__init__("Only administrators can do this.")


class RoleRequiredError(ForbiddenError):
    """The user has none of the roles that the route requires."""

    code = "ROLE_REQUIRED"

    def __init__(self, roles: Sequence[str]) -> None:
        super().__init__("Your role does not allow this. Ask an administrator.", details={"required": list(roles)})


class PermissionRequiredError(ForbiddenError):
    """The user's role lacks a permission that the route requires."""

    code = "PERMISSION_REQUIRED"

    def __init__(self, permission: str) -> None:
        super().__init__("Your role does not allow this. Ask an administrator.", details={"required": permission})


class ImpersonationNotAllowedError(ForbiddenError):
    """The route is refused while an administrator impersonates the user."""

    code = "IMPERSONATION_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("Only the user can do this, and not an administrator who impersonates the user.")


class UnknownRoleError(AppError):
    """The project has no such role."""

    status = 422
    code = "UNKNOWN_ROLE"

    def __init__(self, role: str, roles: Sequence[str]) -> None:
        super().__init__(
            f"There is no role {role!a}. The roles are: {', '.join(roles)}.", details={"roles": list(roles)}
        )


class OwnAccountError(ForbiddenError):
    """Administrators cannot lock themselves out."""

    code = "OWN_ACCOUNT"

    def __init__(self, action: str) -> None:
        super().__init__(f"You cannot {action} yourself. Ask another administrator.")


class LastAdminError(ConflictError):
    """No active administrator would remain."""

    code = "LAST_ADMIN"

    def __init__(self) -> None:
        super().__init__("This is the last active administrator. Promote another user first.")


class UnverifiedEmailError(ConflictError):
    """The address is unverified: someone who does not own it may have signed up with it."""

    code = "UNVERIFIED_EMAIL"

    def __init__(self, user_id: UUID) -> None:
        super().__init__(
            "The identity provider has not verified this user's address, so that someone else may have signed up "
            f"with it. Check the user at the provider, then use the id instead of the address: {user_id}"
        )
