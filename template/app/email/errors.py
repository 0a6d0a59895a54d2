"""The errors that sending an email can raise."""

from datetime import timedelta

from app.core.errors import BadRequestError, ServiceUnavailableError


class EmailUnavailableError(ServiceUnavailableError):
    """The provider did not accept the email, or it is unknown whether it did. The log has the reason."""

    code = "EMAIL_UNAVAILABLE"

    def __init__(self, *, retry_after: timedelta | None = None) -> None:
        super().__init__("The email cannot be sent right now. Try again in a moment.", retry_after=retry_after)


class EmailRejectedError(BadRequestError):
    """The email was rejected permanently: retrying does not help."""

    code = "EMAIL_REJECTED"

    def __init__(self, message: str = "The email to this address was rejected.") -> None:
        super().__init__(message)


class InvalidAddressError(EmailRejectedError):
    """The text is not an email address."""

    code = "INVALID_ADDRESS"

    def __init__(self) -> None:
        super().__init__("This is not a valid email address.")


class InvalidAttachmentError(EmailRejectedError):
    """An attachment is too large, or its file name or content type is not allowed."""

    code = "INVALID_ATTACHMENT"
