"""Errors of payments."""

from app.core.errors import AppError, ConflictError, ServiceUnavailableError


class BillingUnavailableError(ServiceUnavailableError):
    """The payment provider doesn't answer. If the request charged something, a repeated request finds that charge."""

    code = "BILLING_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The payment provider does not answer. Try again in a minute.", headers={"Retry-After": "60"})


class BillingRejectedError(AppError):
    """The payment provider rejected a request that should be valid. Check the configuration of the account."""

    status = 502
    code = "BILLING_REJECTED"

    def __init__(self) -> None:
        super().__init__("The payment provider rejected the request. Contact support.")


class ConcurrentChangeError(ConflictError):
    """Other processes kept writing the same subscription. A retry succeeds."""

    code = "SUBSCRIPTION_BUSY"

    def __init__(self) -> None:
        super().__init__("The subscription is being updated. Try again.")


class SubscriptionTakenError(ConflictError):
    """The purchase belongs to another user."""

    code = "SUBSCRIPTION_TAKEN"

    def __init__(self) -> None:
        super().__init__("This purchase belongs to another account.")
