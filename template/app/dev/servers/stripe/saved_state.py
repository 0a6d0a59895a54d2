"""Keep an account in a file from one start to the next."""

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from app.dev.servers.stripe.account import Account, Clock, Delivery
from app.dev.servers.stripe.objects.base import Json, Resource
from app.dev.servers.stripe.objects.catalog import Coupon, Discount, Price, Product, PromotionCode
from app.dev.servers.stripe.objects.customers import Customer, PaymentMethod
from app.dev.servers.stripe.objects.events import Event, WebhookEndpoint
from app.dev.servers.stripe.objects.hosted import CheckoutSession, PortalConfiguration, PortalSession
from app.dev.servers.stripe.objects.invoices import Invoice, InvoiceLine, InvoicePayment
from app.dev.servers.stripe.objects.meters import Meter, MeterEvent
from app.dev.servers.stripe.objects.payments import Charge, Dispute, PaymentIntent, Refund
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.dev.servers.stripe.objects.thin import EventDestination, ThinEvent

KINDS: Final[dict[str, type[Resource]]] = {
    kind.OBJECT: kind
    for kind in (
        *(Charge, CheckoutSession, Coupon, Customer, Discount, Dispute, Event, Invoice, InvoicePayment, Meter),
        *(PaymentIntent, PaymentMethod, PortalConfiguration, PortalSession, Price, Product, PromotionCode, Refund),
        *(EventDestination, Subscription, ThinEvent, WebhookEndpoint),
    )
}
_PARTS: Final[dict[str, TypeAdapter[object]]] = {
    "tag": TypeAdapter(str),
    "clock": TypeAdapter(Clock),
    "pending_lines": TypeAdapter(dict[str, list[InvoiceLine]]),
    "announced_trials": TypeAdapter(set[str]),
    "meter_events": TypeAdapter(list[MeterEvent]),
    "meter_identifiers": TypeAdapter(dict[str, int]),
    "deliveries": TypeAdapter(list[Delivery]),
    "last_id": TypeAdapter(int),
}
_JSON: Final[TypeAdapter[Json]] = TypeAdapter(Json)


def save(account: Account, file: Path) -> None:
    """Write an account, so that an interruption leaves the previous file."""
    state: Json = {name: part.dump_python(getattr(account, name), mode="json") for name, part in _PARTS.items()}
    state["objects"] = {
        kind: [TypeAdapter(KINDS[kind]).dump_python(one, mode="json") for one in found.values()]
        for kind, found in account.objects.items()
    }
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(_JSON.dump_json(state))
    fresh.replace(file)


def load(file: Path) -> Account | None:
    """Return the account in a file.

    Returns:
        `None` if there is no file, or if another version of the fake wrote it; then the file is moved aside.
    """
    try:
        state = _JSON.validate_json(file.read_bytes())
        return _account(state)
    except FileNotFoundError:
        return None
    except (ValidationError, KeyError, TypeError):
        file.replace(file.with_suffix(".old"))
        return None


def _account(state: Json) -> Account:
    account = Account(**{name: part.validate_python(state[name]) for name, part in _PARTS.items()})  # type: ignore[arg-type] # checked by the adapters
    objects = TypeAdapter(dict[str, list[Json]]).validate_python(state["objects"])
    for kind, found in objects.items():
        adapter = TypeAdapter(KINDS[kind])
        account.objects[kind] = {one.id: one for one in map(adapter.validate_python, found)}
    # These lists share their entries with the account.
    for invoice in account.all(Invoice):
        invoice.payments = [account.find(InvoicePayment, one.id) for one in invoice.payments]
    for charge in account.all(Charge):
        charge.refunds = [account.find(Refund, one.id) for one in charge.refunds]
    return account
