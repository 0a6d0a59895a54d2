"""Signed webhooks (https://www.standardwebhooks.com): whether one is genuine and new, and what of it is kept."""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, NoReturn

import structlog
from pydantic import AfterValidator, SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.core.errors import BadRequestError
from app.core.http.rate_limit import RateLimit
from app.core.inbox.service import UnusableEventError
from app.core.ports.queue import Json

logger = structlog.stdlib.get_logger(__name__)

RATE = RateLimit("6000/minute", name="webhooks")
"""All of a sender's events come from a few addresses, at times many at once, and not every sender tries again."""

PREFIX = "whsec_"
MIN_KEY_BYTES = 24

type Shape = Mapping[str, "Shape | None"]
"""Which keys of an object are kept; `None` for a plain value. A list is kept with each of its items in that shape."""


def _key(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    encoded = value.get_secret_value().removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"has to be {PREFIX} and the base64 of at least {MIN_KEY_BYTES} bytes, as the sender shows it")
    return value


WebhookSecret = Annotated[SecretStr | None, AfterValidator(_key)]
"""The key that a sender and this application share; while it is not set, the sender's webhook answers 404."""


class InvalidSignatureError(BadRequestError):
    """The webhook was not signed with our key, was changed on its way, or is too old or too new."""

    code = "INVALID_SIGNATURE"

    def __init__(self) -> None:
        super().__init__("The webhook's signature is not valid, or its timestamp is more than five minutes off.")


def verify(secret: SecretStr, headers: Mapping[str, str], body: bytes, *, prefix: str = "webhook") -> str:
    """Checks signature and timestamp of a request.

    Args:
        headers: the request's, in lower case.
        body: as it came, byte for byte.
        prefix: what the sender calls its headers: `webhook`, or the older `svix`.

    Returns:
        The message's id, the same each time it is sent.

    Raises:
        InvalidSignatureError: it is not to be trusted.
    """
    names = ("id", "timestamp", "signature")
    standard = {f"webhook-{name}": headers.get(f"{prefix}-{name}", "") for name in names}
    try:
        Webhook(secret.get_secret_value()).verify(body, standard, json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        # A malformed signature header makes the library raise a ValueError.
        logger.warning("webhook_refused", reason=str(error))
        raise InvalidSignatureError from error
    return standard["webhook-id"]


class MalformedEventError(UnusableEventError):
    """A signed event is not what its sender documents. The message is what the inbox keeps as the reason."""


def read_event(body: bytes, shape: Shape) -> dict[str, Json]:
    """The part of a verified body that is needed, so that nothing else of people's data is stored.

    A body that is no JSON object gives an object without the keys of the shape: it is kept as well, and fails.
    """
    try:
        event: Json = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return {"unreadable": "not JSON"}
    kept = _in_shape(event, shape)
    return kept if isinstance(kept, dict) else {"unreadable": "not a JSON object"}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _in_shape(value: Json, shape: Shape | None) -> Json:
    if isinstance(value, list):
        return [_in_shape(item, shape) for item in value]
    if isinstance(value, dict):
        return {key: _in_shape(value[key], inner) for key, inner in (shape or {}).items() if key in value}
    return value
