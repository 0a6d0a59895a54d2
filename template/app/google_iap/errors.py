"""Errors of purchases in Google Play that clients see."""

from app.core.errors import BadRequestError, UnauthorizedError


class PushTokenError(UnauthorizedError):
    """The token of a push request is missing, invalid or expired, or belongs to another sender or audience."""

    code = "INVALID_TOKEN"

    def __init__(self) -> None:
        super().__init__("The push request's token is missing or not valid.")


class MalformedNotificationError(BadRequestError):
    """The data of a Pub/Sub message is not a notification of Google Play in base64."""

    code = "MALFORMED_NOTIFICATION"

    def __init__(self) -> None:
        super().__init__("The message's data is not a real-time developer notification in base64.")


class WrongAppError(BadRequestError):
    """The notification is genuine, but belongs to another app."""

    code = "WRONG_APP"

    def __init__(self) -> None:
        super().__init__("This notification belongs to another app.")
