"""Errors of purchases in the App Store that clients see."""

from datetime import timedelta

from app.core.errors import BadRequestError, ServiceUnavailableError

RETRY_AFTER = timedelta(minutes=1)


class InvalidSignedDataError(BadRequestError):
    """The data was not signed by the App Store, was modified, or its certificate has expired or was revoked."""

    code = "INVALID_SIGNATURE"

    def __init__(self) -> None:
        super().__init__("This data was not signed by the App Store, or its certificate is no longer valid.")


class WrongAppError(BadRequestError):
    """The data is genuine, but belongs to another app."""

    code = "WRONG_APP"

    def __init__(self) -> None:
        super().__init__("The App Store signed this for another app.")


class WrongEnvironmentError(BadRequestError):
    """The data is genuine, but comes from an environment of the App Store that this server does not accept."""

    code = "WRONG_ENVIRONMENT"

    def __init__(self) -> None:
        super().__init__("This comes from an environment of the App Store that this server does not accept.")


class NotASubscriptionError(BadRequestError):
    """The purchase is not an auto-renewable subscription."""

    code = "NOT_A_SUBSCRIPTION"

    def __init__(self) -> None:
        super().__init__("Only auto-renewable subscriptions can be linked.")


class VerificationUnavailableError(ServiceUnavailableError):
    """Apple's certificate status service does not answer, so that nothing can be verified at the moment."""

    code = "VERIFICATION_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The signature cannot be checked at the moment. Try again later.", retry_after=RETRY_AFTER)
