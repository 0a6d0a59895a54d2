"""The rate limit and the errors that the webhooks of all payment providers share."""

from typing import Final

from app.core.errors import BadRequestError
from app.core.http.rate_limit import RateLimit
from app.core.inbox.service import UnusableEventError

RATE: Final = RateLimit("6000/minute", name="billing_webhooks")
"""Generous: a provider's events come from a few addresses and in bursts."""


class InvalidSignatureError(BadRequestError):
    """The webhook's signature is not valid, or its timestamp is more than five minutes off."""

    code = "INVALID_SIGNATURE"

    def __init__(self) -> None:
        super().__init__("The webhook's signature is not valid, or its timestamp is more than five minutes off.")


class MalformedEventError(UnusableEventError):
    """A signed event does not match its provider's documentation. The inbox stores the message as the reason."""
