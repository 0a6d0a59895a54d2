"""Send events to webhook endpoints, signed as Stripe signs them."""

import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, cast

import httpx

from app.dev.servers.stripe.account import Account, Delivery
from app.dev.servers.stripe.faults import Faults
from app.dev.servers.stripe.objects.base import Json, document
from app.dev.servers.stripe.objects.events import Event, WebhookEndpoint
from app.dev.servers.stripe.objects.thin import EventDestination, ThinEvent

MAX_ATTEMPTS: Final = 30
_LONGEST_PAUSE: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A request to an endpoint."""

    url: str
    body: bytes
    headers: dict[str, str]


type Post = Callable[[Message], Awaitable[int]]
"""A function that sends a message and returns the status of the response."""


def signature(body: bytes, secret: str, at: int) -> str:
    """Return the header `Stripe-Signature`. See https://docs.stripe.com/webhooks#verify-manually."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def message(account: Account, delivery: Delivery) -> Message:
    """Return the request that delivers an event. Its signature has the real time, even if the clock was moved."""
    endpoint: WebhookEndpoint | EventDestination
    if (thin := account.get(ThinEvent, delivery.event)) is not None:
        endpoint, event = account.find(EventDestination, delivery.endpoint), thin.shown()
    else:
        endpoint = account.find(WebhookEndpoint, delivery.endpoint)
        event = cast("Json", document(account.find(Event, delivery.event)))
    body = json.dumps(event, indent=2).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(body, endpoint.secret, int(time.time())),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    return Message(url=endpoint.url, body=body, headers=headers)


async def deliver(account: Account, faults: Faults, post: Post) -> int:
    """Send the events that are due, and return how many were delivered.

    An event whose endpoint doesn't answer 2xx stays, and is sent again after a pause.
    """
    delivered = 0
    now = time.time()
    for delivery in _in_order(account, faults, now):
        if faults.drop:
            faults.drop -= 1
            account.deliveries.remove(delivery)
            continue
        answers = [await _try(account, delivery, post) for _time in range(max(1, faults.repeat))]
        delivery.attempts += 1
        if delivery not in account.deliveries:
            continue
        if any(answers) or delivery.attempts >= MAX_ATTEMPTS:
            account.deliveries.remove(delivery)
            if (event := account.get(Event, delivery.event)) is not None:
                event.pending_webhooks -= 1
            delivered += any(answers)
        else:
            delivery.due = now + min(_LONGEST_PAUSE, 2.0**delivery.attempts)
    return delivered


def _in_order(account: Account, faults: Faults, now: float) -> list[Delivery]:
    for delivery in account.deliveries:
        delivery.due = delivery.due or now + faults.delay_seconds
    due = [delivery for delivery in account.deliveries if delivery.due <= now]
    return due[::-1] if faults.reverse else due


async def _try(account: Account, delivery: Delivery, post: Post) -> bool:
    try:
        status = await post(message(account, delivery))
    except (httpx.HTTPError, OSError):
        return False
    return httpx.codes.is_success(status)


def over_http(client: httpx.AsyncClient) -> Post:
    """Return a function that sends messages with a client."""

    async def post(sent: Message) -> int:
        response = await client.post(sent.url, content=sent.body, headers=sent.headers)
        return response.status_code

    return post
