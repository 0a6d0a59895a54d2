"""What can go wrong with users."""

from app.core.errors import ConflictError, ForbiddenError


class AccountDeactivatedError(ForbiddenError):
    """Whose token it is is known, and they have been shut out."""

    code = "ACCOUNT_DEACTIVATED"

    def __init__(self) -> None:
        super().__init__("This account has been deactivated. Ask an administrator to activate it.")


class AdminRequiredError(ForbiddenError):
    """The caller is no administrator."""

    code = "ADMIN_REQUIRED"

    def __init__(self) -> None:
        super().__init__("This needs an administrator.")


class OwnAccountError(ForbiddenError):
    """An administrator would lock themselves out."""

    code = "OWN_ACCOUNT"

    def __init__(self, what: str) -> None:
        super().__init__(f"You cannot {what} yourself; ask another administrator.")


class LastAdminError(ConflictError):
    """Nobody would be left who could administer anything."""

    code = "LAST_ADMIN"

    def __init__(self) -> None:
        super().__init__("This is the last active administrator; make another one first.")
