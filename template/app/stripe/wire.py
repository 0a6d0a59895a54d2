"""The parts of Stripe's objects that the application reads (API version 2026-10-28.endive)."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _moment(value: object) -> object:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A time, which Stripe writes in seconds since 1970."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Recurring(_Wire):
    """The billing interval of a price."""

    interval: str
    usage_type: str = "licensed"


class Price(_Wire):
    """A price of a product."""

    id: str
    lookup_key: str | None = None
    recurring: Recurring | None = None
    unit_amount: int | None = None
    currency: str = ""
    product: str = ""
    active: bool = True

    @property
    def is_licensed(self) -> bool:
        """Whether it is paid per seat, and not by usage."""
        return self.recurring is None or self.recurring.usage_type == "licensed"


class Item(_Wire):
    """A price that a subscription contains, with its period."""

    id: str
    price: Price
    quantity: int | None = None
    current_period_start: Moment
    current_period_end: Moment


class Items(_Wire):
    """The prices of a subscription."""

    data: tuple[Item, ...] = ()


class Card(_Wire):
    """A card."""

    exp_month: int
    exp_year: int
    last4: str = ""


class PaymentMethod(_Wire):
    """A payment method."""

    id: str
    card: Card | None = None


class InvoiceSettings(_Wire):
    """A customer's settings for invoices."""

    default_payment_method: PaymentMethod | str | None = None


class Customer(_Wire):
    """A customer. A deleted one has nothing but its id."""

    id: str
    deleted: bool = False
    email: str | None = None
    metadata: dict[str, str] = {}
    invoice_settings: InvoiceSettings = InvoiceSettings()


class StatusTransitions(_Wire):
    """The times at which an invoice changed."""

    paid_at: Moment | None = None


class SubscriptionDetails(_Wire):
    """The subscription of an invoice."""

    subscription: str | None = None
    subscription_proration_date: Moment | None = None


class Parent(_Wire):
    """The source of an invoice."""

    subscription_details: SubscriptionDetails | None = None


class PriceDetails(_Wire):
    """The price of a line."""

    price: str
    product: str | None = None


class Pricing(_Wire):
    """The source of a line's amount."""

    price_details: PriceDetails | None = None


class InvoiceLine(_Wire):
    """A charge for a part of a subscription, or a credit if the amount is negative."""

    amount: int = 0
    quantity: int | None = None
    pricing: Pricing | None = None


class InvoiceLines(_Wire):
    """The first lines of an invoice."""

    data: list[InvoiceLine] = []


class Invoice(_Wire):
    """An invoice. A preview has no id."""

    id: str = ""
    number: str | None = None
    status: str | None = None
    billing_reason: str | None = None
    currency: str = ""
    total: int = 0
    amount_due: int = 0
    amount_paid: int = 0
    created: Moment | None = None
    customer: str | None = None
    hosted_invoice_url: str | None = None
    invoice_pdf: str | None = None
    status_transitions: StatusTransitions = StatusTransitions()
    parent: Parent | None = None
    lines: InvoiceLines = InvoiceLines()

    @property
    def proration_date(self) -> datetime | None:
        """The time to which a preview prorates."""
        details = self.parent and self.parent.subscription_details
        return details.subscription_proration_date if details else None

    @property
    def subscription_id(self) -> str | None:
        """The id of its subscription."""
        details = self.parent and self.parent.subscription_details
        return details.subscription if details else None


class Charge(_Wire):
    """A charge to a payment method."""

    id: str
    customer: str | None = None
    refunded: bool = False
    disputed: bool = False
    amount_refunded: int = 0


class PaymentIntent(_Wire):
    """An attempt to collect an amount."""

    id: str
    status: str = ""
    latest_charge: Charge | str | None = None


class InvoicePaymentDetails(_Wire):
    """The payment of an invoice."""

    payment_intent: PaymentIntent | str | None = None


class InvoicePayment(_Wire):
    """A payment of an invoice."""

    status: str
    payment: InvoicePaymentDetails


class Subscription(_Wire):
    """A subscription."""

    id: str
    status: str
    customer: Customer | str
    items: Items
    cancel_at_period_end: bool = False
    cancel_at: Moment | None = None
    trial_start: Moment | None = None
    trial_end: Moment | None = None
    metadata: dict[str, str] = {}
    latest_invoice: Invoice | str | None = None
    default_payment_method: PaymentMethod | str | None = None
    pause_collection: dict[str, object] | None = None
    livemode: bool = False

    @property
    def customer_id(self) -> str:
        """The id of its customer."""
        return self.customer if isinstance(self.customer, str) else self.customer.id


class CheckoutSession(_Wire):
    """A session of Stripe Checkout."""

    id: str
    url: str | None = None
    status: str | None = None
    customer: str | None = None
    client_reference_id: str | None = None
    subscription: str | None = None
    payment_status: str | None = None
    metadata: dict[str, str] = {}
    created: int = 0


class PortalSession(_Wire):
    """A session of the customer portal."""

    url: str


class Dispute(_Wire):
    """A charge that the holder of the card contests."""

    id: str
    charge: str
    status: str = ""
