"""Errors of requests to language models."""

from collections.abc import Sequence
from datetime import timedelta

from app.core.errors import AppError, PayloadTooLargeError, ServiceUnavailableError


class AIUnavailableError(ServiceUnavailableError):
    """The provider doesn't respond, or its response is unusable. The log has the reason.

    Attributes:
        transient: whether a retry may succeed.
    """

    code = "AI_UNAVAILABLE"

    def __init__(self, provider: str, *, transient: bool = True, retry_after: timedelta | None = None) -> None:
        super().__init__(
            "The language model doesn't respond. Try again in a moment.",
            details={"provider": provider},
            retry_after=retry_after,
        )
        self.transient = transient


class AIRateLimitedError(ServiceUnavailableError):
    """The provider's rate limit for this application is exhausted."""

    code = "AI_RATE_LIMITED"

    def __init__(self, provider: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(
            "The language model has too many requests at the moment. Try again later.",
            details={"provider": provider},
            retry_after=retry_after,
        )


class AINotConfiguredError(ServiceUnavailableError):
    """The provider's API key is not set."""

    code = "AI_NOT_CONFIGURED"

    def __init__(self, provider: str, setting: str | None) -> None:
        super().__init__(
            f"{provider} is not configured. Set {setting}.", details={"provider": provider, "setting": setting}
        )


class AITimeoutError(AppError):
    """The answer took longer than AI_TOTAL_TIMEOUT_SECONDS."""

    status = 504
    code = "AI_TIMEOUT"

    def __init__(self) -> None:
        super().__init__("The answer took too long. Try again, or ask for a shorter answer.")


class ConcurrencyLimitError(AppError):
    """The user has AI_MAX_CONCURRENT_ANSWERS answers in progress."""

    status = 429
    code = "AI_CONCURRENCY_LIMIT"

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} answers in progress. Wait until one has ended.", details={"limit": limit})


class AIRefusedError(AppError):
    """The provider rejected the request, for example because it is too long for the model."""

    status = 422
    code = "AI_REQUEST_REFUSED"

    def __init__(self, provider: str, reason: str | None) -> None:
        super().__init__("The language model rejected the request.", details={"provider": provider, "reason": reason})


class PromptTooLargeError(PayloadTooLargeError):
    """The messages are longer than AI_MAX_PROMPT_LENGTH."""

    code = "AI_PROMPT_TOO_LARGE"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The messages may have at most {limit} characters.", details={"limit": limit})


class TooManyTokensError(AppError):
    """The requested answer is longer than AI_MAX_TOKENS."""

    status = 422
    code = "AI_TOO_MANY_TOKENS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An answer may have 1 to {limit} tokens.", details={"limit": limit})


class ModelNotAllowedError(AppError):
    """The model is not on the list of allowed models."""

    status = 422
    code = "AI_MODEL_NOT_ALLOWED"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("This model is not allowed.", details={"allowed": list(allowed)})


class UnknownProviderError(AppError):
    """The provider is not part of this project."""

    status = 422
    code = "AI_UNKNOWN_PROVIDER"

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__("Unknown provider.", details={"known": list(known)})
