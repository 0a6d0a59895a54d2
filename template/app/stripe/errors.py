"""Errors of Stripe, and the errors of this application that they become."""

from datetime import timedelta
from typing import Final

import stripe
import structlog

from app.core.errors import AppError, ConflictError, ServiceUnavailableError
from app.kit.resilience.retry_after import parse_retry_after
from app.payments.errors import BillingRejectedError, BillingUnavailableError

logger = structlog.stdlib.get_logger(__name__)

MISSING: Final = "resource_missing"


class BillingNotConfiguredError(ServiceUnavailableError):
    """There is no key of Stripe: only in local."""

    code = "BILLING_NOT_CONFIGURED"

    def __init__(self) -> None:
        super().__init__("STRIPE_SECRET_KEY is not set. `app dev` starts a fake of Stripe and sets it: docs/stripe.md.")


class PaymentFailedError(AppError):
    """The payment was declined. Nothing has changed."""

    status = 402
    code = "PAYMENT_FAILED"

    def __init__(self, reason: str | None) -> None:
        super().__init__(
            "The payment was declined. Use another payment method.", details={"reason": reason or "declined"}
        )


class AlreadySubscribedError(ConflictError):
    """The user has a subscription, which can be changed instead."""

    code = "ALREADY_SUBSCRIBED"

    def __init__(self) -> None:
        super().__init__("You have a subscription already. Change its plan instead.")


class SubscriptionUnpaidError(ConflictError):
    """The user has a subscription that gives no access until it is paid.

    Args:
        url: the page of the invoice that can be paid.
    """

    code = "SUBSCRIPTION_UNPAID"

    def __init__(self, url: str | None) -> None:
        reason = (
            "You have a subscription that is refunded and still renews. Cancel it before you buy another."
            if url is None
            else "A payment of your subscription is not complete. Pay the invoice at `url`, or cancel the subscription "
            "before you buy another."
        )
        super().__init__(reason, details={} if url is None else {"url": url})


class NotSubscribedError(ConflictError):
    """The user has no subscription at Stripe that this could change."""

    code = "NOT_SUBSCRIBED"

    def __init__(self) -> None:
        super().__init__("You have no subscription that can be changed here.")


def is_transient(error: Exception) -> bool:
    """Return whether a repeated request may succeed: no connection, a limit, a lock, or an error of Stripe itself."""
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError):
        return True
    if not isinstance(error, stripe.StripeError):
        return False
    # 409: another request holds a lock on the object (docs.stripe.com/rate-limits#object-lock-timeouts).
    return isinstance(error, stripe.APIError) and (error.http_status or 500) in {409, *range(500, 600)}


def retry_after(error: Exception) -> timedelta | None:
    """Return the delay that Stripe asks for."""
    headers = error.headers if isinstance(error, stripe.StripeError) else None
    return parse_retry_after(dict(headers).get("retry-after")) if headers else None


def is_missing(error: stripe.StripeError, param: str | None = None) -> bool:
    """Return whether Stripe has no object of an id: the requested one, or the one that a parameter names."""
    if not isinstance(error, stripe.InvalidRequestError) or error.code != MISSING:
        return False
    return param is None or error.param == param


def public_error(error: stripe.StripeError) -> AppError:
    """Return the error that the client sees. Stripe's own message, which may contain ids, is only logged."""
    if isinstance(error, stripe.CardError):
        return PaymentFailedError(getattr(error.error, "decline_code", None) or error.code)
    if is_transient(error):
        return BillingUnavailableError()
    logger.error(
        "stripe_request_rejected",
        kind=type(error).__name__,
        code=error.code,
        param=getattr(error, "param", None),
        stripe_request_id=error.request_id,
    )
    return BillingRejectedError()
