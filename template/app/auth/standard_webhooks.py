"""Inbound webhooks signed as https://www.standardwebhooks.com specifies: verify them and keep the required fields."""

import json
from collections.abc import Mapping
from typing import Annotated, NoReturn

import structlog
from pydantic import AfterValidator, SecretStr

from app.core.errors import BadRequestError
from app.core.http.rate_limit import RateLimit
from app.core.inbox.service import UnusableEventError
from app.core.ports.queue import Json
from app.kit.webhook_signatures import WebhookSignatureError, WebhookSigner

logger = structlog.stdlib.get_logger(__name__)

RATE = RateLimit("6000/minute", name="webhooks")
"""Generous: a sender's events come from a few addresses and in bursts, and not every sender retries."""

SEPARATOR = ","
"""The separator between the secrets of one setting, the newest first. The base64 alphabet does not contain it."""

type Shape = Mapping[str, "Shape | None"]
"""The keys of an object that are kept; `None` for a plain value. In a list, the shape applies to each item."""


def signer_of(setting: SecretStr) -> WebhookSigner:
    """Return the verifier for a setting. During a rotation the setting contains the new secret, then the old one.

    Raises:
        ValueError: a secret is malformed.
    """
    return WebhookSigner([SecretStr(secret.strip()) for secret in setting.get_secret_value().split(SEPARATOR)])


def _check_keys(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        try:
            signer_of(value)
        except ValueError as error:
            raise ValueError(f"{error}; several are separated by commas") from None
    return value


WebhookSecret = Annotated[SecretStr | None, AfterValidator(_check_keys)]
"""The key, or during a rotation the keys, that a sender signs with. Without one, the webhook answers 404."""


class InvalidSignatureError(BadRequestError):
    """The webhook was not signed with our key, was modified, or is too old or too new."""

    code = "INVALID_SIGNATURE"

    def __init__(self) -> None:
        super().__init__("The webhook's signature is not valid, or its timestamp is more than five minutes off.")


def verify(secret: SecretStr, headers: Mapping[str, str], body: bytes, *, prefix: str = "webhook") -> str:
    """Verify signature and timestamp of a webhook.

    Args:
        secret: see `WebhookSecret`.
        headers: the request's headers, in lower case.
        body: the unmodified body.
        prefix: the prefix of the sender's headers: `webhook`, or the older `svix`.

    Returns:
        The message's id, which stays the same when the sender retries.

    Raises:
        InvalidSignatureError: signature or timestamp is not valid.
    """
    try:
        return signer_of(secret).verify(headers, body, prefix=prefix)
    except WebhookSignatureError as error:
        logger.warning("webhook_refused", reason=str(error))
        raise InvalidSignatureError from error


class MalformedEventError(UnusableEventError):
    """A signed event does not match its sender's documentation. The inbox stores the message as the reason."""


def read_event(body: bytes, shape: Shape) -> dict[str, Json]:
    """Return the needed part of a verified body, so that no other personal data is stored.

    For a body that is not a JSON object, return an object without the keys of the shape. It is stored, and its handler
    fails.
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
