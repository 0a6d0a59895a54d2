"""Stripe's webhook. An event only says what may have changed; the current state is fetched from the API."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import stripe
import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlmodel import col

from app.core.errors import NotFoundError
from app.core.inbox import service as inbox
from app.core.ports.queue import Json
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.models import Subscription
from app.payments.notices import occasion, send_notice
from app.payments.port import Notice, NoticeKind, SubscriptionStatus
from app.payments.webhooks import InvalidSignatureError, MalformedEventError
from app.stripe.api import StripeApi
from app.stripe.customers import forget_customer
from app.stripe.provider import StripeProvider
from app.stripe.settings import StripeSettings, webhook_secrets
from app.stripe.snapshots import NAME, action_required, invoice_notices

logger = structlog.stdlib.get_logger(__name__)

TOLERANCE: Final = 300
"""Seconds that the time of signing may be off, in both directions."""
EVENTS: Final = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "customer.deleted",
    "customer.updated",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.voided",
)
"""The events that are processed. `app billing setup` subscribes the endpoint to them."""


class EventReference(BaseModel):
    """The part of an event that is stored: ids, no personal data."""

    type: str
    object: str
    id: str
    subscription: str | None = None
    customer: str | None = None
    charge: str | None = None


async def receive_event(runtime: Runtime, body: bytes, signature: str) -> None:
    """Verify an event and store it, unless it concerns nothing here.

    Raises:
        NotFoundError: there is no secret.
        InvalidSignatureError: the event is not signed with it.
    """
    setting = runtime.resource(StripeSettings).STRIPE_WEBHOOK_SECRET
    if not setting.get_secret_value():
        raise NotFoundError("Webhook")
    event = verified(body, signature, webhook_secrets(setting), _event)
    if event["type"] in EVENTS:
        await inbox.receive(
            runtime, provider=NAME, event_id=event["id"], payload=_reference(event), handler=apply_stripe_event
        )


async def apply_stripe_event(runtime: Runtime, payload: dict[str, Json]) -> None:
    """Fetch and store every subscription that an event may concern, and send the notices that it calls for.

    Raises:
        MalformedEventError: the event does not match Stripe's documentation.
    """
    try:
        event = EventReference.model_validate(payload)
    except ValidationError as error:
        raise MalformedEventError(f"the event has no {error.errors()[0]['loc'][-1]}") from None
    async for subscription_id in _subscriptions(runtime, event):
        row = await converge(runtime, runtime.resource(StripeProvider), subscription_id)
        if row is not None:
            await _notify(runtime, event, row)
    if event.type == "customer.deleted":
        await forget_customer(runtime, event.id)


def verified[T](body: bytes, header: str, secrets: tuple[str, ...], read: Callable[[Any], T]) -> T:
    """Verify the signature and its time, and return the event.

    Args:
        body: the request's.
        header: its `Stripe-Signature`.
        secrets: of the endpoint.
        read: returns the event of a JSON value, and raises an error if it is none.

    Raises:
        InvalidSignatureError: something about the signature or the body is not valid. The reason is only logged.
    """
    try:
        text = body.decode("utf-8")
        _check_time(header)
        _verify_any(text, header, secrets)
        return read(json.loads(text))
    except Exception as error:
        # Whatever the library raises for a malformed header or body: the request is malformed, we have not failed.
        logger.warning("webhook_refused", provider=NAME, reason=type(error).__name__)
        raise InvalidSignatureError from error


def _check_time(header: str) -> None:
    """Check the time in both directions. The library accepts any time in the future."""
    signed_at = int(dict(part.split("=", 1) for part in header.split(",")[:10])["t"])
    if abs(time.time() - signed_at) > TOLERANCE:
        raise ValueError("The time of signing is too far off.")


def _event(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an event that has what every event has."""
    if not (isinstance(value["id"], str) and isinstance(value["type"], str)):
        raise TypeError("The event has no id or no type.")
    if not isinstance(value["data"]["object"], dict):
        raise TypeError("The event has no object.")
    return dict(value)


def _verify_any(text: str, header: str, secrets: tuple[str, ...]) -> None:
    for number, secret in enumerate(secrets, start=1):
        try:
            stripe.WebhookSignature.verify_header(text, header, secret, TOLERANCE)
        except stripe.SignatureVerificationError:
            if number == len(secrets):
                raise
        else:
            return


def _reference(event: dict[str, Any]) -> dict[str, Json]:
    """Return the ids of an event. Values of another type are left out, and the handler reports them."""
    found = event["data"]["object"]
    kind = found.get("object")
    # Since API version 2025-03-31 the subscription of an invoice is part of its parent; endpoints may be older.
    details = (found.get("parent") or {}).get("subscription_details") if isinstance(found.get("parent"), dict) else None
    subscription = (details or {}).get("subscription") or found.get("subscription")
    values = {
        "type": event["type"],
        "object": kind,
        "id": found.get("id"),
        "subscription": found.get("id") if kind == "subscription" else subscription,
        "customer": found.get("id") if kind == "customer" else found.get("customer"),
        "charge": found.get("id") if kind == "charge" else found.get("charge"),
    }
    return {name: value for name, value in values.items() if isinstance(value, str)}


async def _subscriptions(runtime: Runtime, event: EventReference) -> AsyncIterator[str]:
    """Yield the ids of the subscriptions that an event may concern."""
    if event.subscription is not None:
        yield event.subscription
        return
    customer, api = event.customer, runtime.resource(StripeApi)
    if customer is None and event.charge is not None:
        charge = await api.charge(event.charge)
        customer = None if charge is None else charge.customer
    if customer is None:
        return
    async with runtime.database.reading() as session:
        stored = (
            await session.scalars(
                select(col(Subscription.provider_id)).where(
                    col(Subscription.provider) == NAME, col(Subscription.customer_id) == customer
                )
            )
        ).all()
    for id_ in stored:
        yield id_
    if event.type != "customer.deleted":
        async for subscription in api.subscriptions(customer=customer):
            if subscription.id not in stored:
                yield subscription.id


async def _notify(runtime: Runtime, event: EventReference, row: Subscription) -> None:
    """Send the notices that an event calls for, if its cause still exists."""
    notices: list[Notice] = []
    if event.type == "customer.subscription.trial_will_end" and row.status is SubscriptionStatus.TRIALING:
        notices.append(Notice(kind=NoticeKind.TRIAL_ENDS, key=occasion(row.provider_id, row.trial_end)))
    if event.object == "invoice":
        invoice = await runtime.resource(StripeApi).invoice(event.id)
        if invoice is not None:
            notices += invoice_notices(invoice)
            if event.type == "invoice.payment_action_required":
                notices += action_required(invoice)
    if row.user_id is None or not notices:
        return
    async with runtime.database.transaction() as session:
        for notice in notices:
            await send_notice(runtime, session, row, row.user_id, notice)
