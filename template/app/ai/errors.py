"""What can be wrong with a question, or with who should answer it."""

from collections.abc import Sequence
from datetime import timedelta

from app.core.errors import AppError, PayloadTooLargeError, ServiceUnavailableError


class AIUnavailableError(ServiceUnavailableError):
    """The provider does not answer, or not as it should. The reason is in the log.

    Attributes:
        transient: whether the same call may work in a moment.
    """

    code = "AI_UNAVAILABLE"

    def __init__(self, provider: str, *, transient: bool = True, retry_after: timedelta | None = None) -> None:
        super().__init__(
            "The language model does not answer. Try again in a moment.",
            details={"provider": provider},
            retry_after=retry_after,
        )
        self.transient = transient


class AIRateLimitedError(ServiceUnavailableError):
    """The provider takes no more calls from this application for now."""

    code = "AI_RATE_LIMITED"

    def __init__(self, provider: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(
            "The language model is asked too much at the moment. Try again later.",
            details={"provider": provider},
            retry_after=retry_after,
        )


class AINotConfiguredError(ServiceUnavailableError):
    """The provider has no key yet."""

    code = "AI_NOT_CONFIGURED"

    def __init__(self, provider: str, setting: str) -> None:
        super().__init__(
            f"{provider} is not configured: set {setting}.", details={"provider": provider, "setting": setting}
        )


class AIRefusedError(AppError):
    """The provider does not take the request as it is, such as one that is too long for the model."""

    status = 422
    code = "AI_REQUEST_REFUSED"

    def __init__(self, provider: str, reason: str | None) -> None:
        super().__init__(
            "The language model does not take this request.", details={"provider": provider, "reason": reason}
        )


class PromptTooLargeError(PayloadTooLargeError):
    """The messages are longer than AI_MAX_PROMPT_LENGTH."""

    code = "AI_PROMPT_TOO_LARGE"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The messages may have at most {limit} characters.", details={"limit": limit})


class TooManyTokensError(AppError):
    """An answer longer than AI_MAX_TOKENS was asked for."""

    status = 422
    code = "AI_TOO_MANY_TOKENS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An answer may have 1 to {limit} tokens.", details={"limit": limit})


class ModelNotAllowedError(AppError):
    """The model is not on the list of those that may be asked."""

    status = 422
    code = "AI_MODEL_NOT_ALLOWED"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("This model may not be asked.", details={"allowed": list(allowed)})


class UnknownProviderError(AppError):
    """No such provider is part of this project."""

    status = 422
    code = "AI_UNKNOWN_PROVIDER"

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__("There is no such provider.", details={"known": list(known)})
