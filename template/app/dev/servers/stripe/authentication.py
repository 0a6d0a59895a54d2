"""Authentication of requests to the fake."""

import hmac

from starlette.requests import Request

from app.dev.servers.stripe.errors import ApiError, invalid
from app.dev.servers.stripe.objects.events import API_VERSION


def authenticate(request: Request, secret_key: str) -> None:
    """Check the key and the version of a request.

    Raises:
        ApiError: the key is wrong, or the request is for another version of the API.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not hmac.compare_digest(given.encode(), secret_key.encode()):
        raise ApiError(message="Invalid API Key provided.", status=401)
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise invalid(f"Invalid Stripe API version: {version}. The fake speaks {API_VERSION}.")
