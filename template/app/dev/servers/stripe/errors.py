"""Errors in the form of Stripe's API."""

from dataclasses import dataclass, field
from typing import Literal

type ErrorType = Literal["api_error", "card_error", "idempotency_error", "invalid_request_error"]


@dataclass(kw_only=True)
class ApiError(Exception):
    """An error that the API answers. See https://docs.stripe.com/api/errors.

    Attributes:
        message: the text for developers; of a card error, also for customers.
        status: the HTTP status.
        type: the kind of error.
        code: the reason, for programs.
        param: the parameter that is wrong.
        decline_code: why the bank declined the card.
        payment_intent: the id of the payment that failed.
    """

    message: str
    status: int = 400
    type: ErrorType = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    decline_code: str | None = None
    payment_intent: str | None = field(default=None)

    def document(self, request_id: str) -> dict[str, object]:
        """Return the JSON of the answer."""
        found = {
            "type": self.type,
            "message": self.message,
            "code": self.code,
            "param": self.param,
            "decline_code": self.decline_code,
        }
        error: dict[str, object] = {name: value for name, value in found.items() if value is not None}
        return {"error": error | {"request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}}


def missing(kind: str, object_id: str, *, param: str = "id") -> ApiError:
    """Return the error for an id that doesn't exist."""
    return ApiError(
        message=f"No such {kind.replace('_', ' ')}: '{object_id}'", status=404, code="resource_missing", param=param
    )


def invalid(message: str, param: str | None = None, *, code: str | None = None) -> ApiError:
    """Return the error for a request that can't be carried out."""
    return ApiError(message=message, param=param, code=code)
