"""Each field that the fake sends exists in Stripe's library, which is made from Stripe's specification."""

import types
import typing
from collections.abc import Iterator

import stripe

from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.render import render
from tests.stripe.fake.history import live
from tests.stripe.fake.shop import Shop

CLASSES: dict[str, type[stripe.StripeObject]] = {
    cls.OBJECT_NAME: cls
    for cls in (
        stripe.Charge,
        stripe.Coupon,
        stripe.Customer,
        stripe.Discount,
        stripe.Dispute,
        stripe.Event,
        stripe.Invoice,
        stripe.InvoiceLineItem,
        stripe.InvoicePayment,
        stripe.PaymentIntent,
        stripe.PaymentMethod,
        stripe.Plan,
        stripe.Price,
        stripe.Product,
        stripe.PromotionCode,
        stripe.Refund,
        stripe.Subscription,
        stripe.SubscriptionItem,
        stripe.WebhookEndpoint,
        stripe.billing.Meter,
        stripe.billing.MeterEvent,
        stripe.billing.MeterEventSummary,
        stripe.billing_portal.Configuration,
        stripe.billing_portal.Session,
        stripe.checkout.Session,
        stripe.LineItem,
    )
}


async def test_the_fake_sends_only_fields_that_stripe_has(fake: StripeFake, shop: Shop) -> None:
    summary = await live(fake, shop)
    shown = [
        render(fake.account, one, ["payments"] if kind == "invoice" else [])
        for kind, found in fake.account.objects.items()
        for one in found.values()
        if kind != "discount"
    ]
    shown += [render(fake.account, one, []) for one in fake.account.meter_events]
    shown += summary

    mistakes = sorted({mistake for one in shown for mistake in check(one, CLASSES[str(one["object"])])})

    assert mistakes == []
    assert {str(one["object"]) for one in shown} >= set(CLASSES) - {
        "discount",
        "plan",
        "line_item",
        "item",
        "subscription_item",
    }


def check(shown: Json, cls: type) -> Iterator[str]:
    """Yield what differs from a class of the library: unknown and missing fields, and values of another kind."""
    fields = cls.__annotations__
    if not fields:
        return
    where = cls.__qualname__
    for name, value in shown.items():
        if name == "object" and hasattr(cls, "OBJECT_NAME"):
            continue
        if name not in fields:
            yield f"{where} has no {name}"
            continue
        yield from check_value(value, fields[name], f"{where}.{name}")
    for name, hint in fields.items():
        if name not in shown and type(None) not in parts(hint) and name not in {"OBJECT_NAME", "object"}:
            yield f"{where}.{name} is missing"


def check_value(value: object, hint: object, where: str) -> Iterator[str]:
    """Yield what is wrong with one value."""
    kinds = parts(hint)
    if value is None:
        if type(None) not in kinds:
            yield f"{where} is never null"
        return
    choices = [
        choice for kind in kinds if typing.get_origin(kind) is typing.Literal for choice in typing.get_args(kind)
    ]
    if choices and value not in choices:
        yield f"{where} is never {value}"
    if isinstance(value, bool) != (bool in kinds) and not choices:
        yield f"{where} is not a {type(value).__name__}"
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict):
            yield from check_object(entry, kinds)


def check_object(shown: Json, kinds: list[object]) -> Iterator[str]:
    """Yield what is wrong with an object: a list, an object with a name, or a part of another object."""
    if shown.get("object") == "list":
        data = shown["data"]
        assert isinstance(data, list)
        for entry in data:
            yield from check(entry, CLASSES[entry["object"]])
    elif isinstance(shown.get("object"), str):
        yield from check(shown, CLASSES[str(shown["object"])])
    else:
        for kind in kinds:
            for part in (kind, *typing.get_args(kind)):
                if isinstance(part, type) and issubclass(part, stripe.StripeObject) and part.__annotations__:
                    yield from check(shown, part)


def parts(hint: object) -> list[object]:
    """Return the alternatives of a type."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return [part for one in typing.get_args(hint) for part in parts(one)]
    return [hint]
