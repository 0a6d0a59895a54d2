"""Errors of feature flags."""

from app.core.errors import AppError, ConflictError, ForbiddenError
from app.feature_flags.snapshot import MAX_FLAGS


class FeatureDisabledError(ForbiddenError):
    """The flag that the route requires is off for the user."""

    code = "FEATURE_DISABLED"

    def __init__(self, key: str) -> None:
        super().__init__("This feature is not available to you.", details={"flag": key})


class FlagTimesError(AppError):
    """A flag must end after it starts."""

    status = 422
    code = "FLAG_TIMES"

    def __init__(self) -> None:
        super().__init__("The flag ends before it starts. Choose a later `ends_at`, or an earlier `starts_at`.")


class TooManyFlagsError(ConflictError):
    """The application has the maximum number of flags."""

    code = "TOO_MANY_FLAGS"

    def __init__(self) -> None:
        super().__init__(f"There are {MAX_FLAGS} flags already. Delete those that are no longer used.")


class FlagListFullError(ConflictError):
    """The list of a flag cannot take so many more users."""

    code = "FLAG_LIST_FULL"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"A list has at most {limit:,} users. Use a percentage or a plan instead.", details={"limit": limit}
        )
