"""Invoices and their lines."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import EMBEDDED, INCLUDABLE, Json, Metadata, Resource

type InvoiceStatus = Literal["draft", "open", "paid", "uncollectible", "void"]
type BillingReason = Literal[
    "manual", "subscription", "subscription_create", "subscription_cycle", "subscription_update", "upcoming"
]


@dataclass(kw_only=True)
class Period:
    """A span of time."""

    start: int
    end: int


@dataclass(kw_only=True)
class SubscriptionItemDetails:
    """The item that a line charges for."""

    subscription: str
    subscription_item: str
    proration: bool = False
    invoice_item: str | None = None
    proration_details: Json = field(default_factory=lambda: {"credited_items": None})


@dataclass(kw_only=True)
class LineParent:
    """The source of a line."""

    subscription_item_details: SubscriptionItemDetails
    type: Literal["subscription_item_details"] = "subscription_item_details"
    invoice_item_details: None = None


@dataclass(kw_only=True)
class PriceDetails:
    """The price of a line."""

    price: str
    product: str


@dataclass(kw_only=True)
class Pricing:
    """The price that a line's amount is computed from."""

    price_details: PriceDetails
    unit_amount_decimal: str | None
    type: Literal["price_details"] = "price_details"


@dataclass(kw_only=True)
class DiscountAmount:
    """The amount that a discount subtracts."""

    amount: int
    discount: str


@dataclass(kw_only=True)
class InvoiceLine:
    """One charge, or a credit if the amount is negative."""

    id: str
    amount: int
    currency: str
    description: str
    period: Period
    parent: LineParent
    pricing: Pricing
    invoice: str | None
    subscription: str
    subtotal: int
    quantity: int | None = 1
    object: Literal["line_item"] = "line_item"
    discount_amounts: list[DiscountAmount] = field(default_factory=list)
    discountable: bool = True
    discounts: list[str] = field(default_factory=list)
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    pretax_credit_amounts: list[Json] = field(default_factory=list)
    taxes: list[Json] = field(default_factory=list)


@dataclass(kw_only=True)
class SubscriptionDetails:
    """The subscription that an invoice charges for."""

    subscription: str
    metadata: Metadata = field(default_factory=dict)
    subscription_proration_date: int | None = None


@dataclass(kw_only=True)
class InvoiceParent:
    """The source of an invoice. Since API version 2025-03-31 the subscription is found here."""

    subscription_details: SubscriptionDetails
    quote_details: None = None
    type: Literal["subscription_details"] = "subscription_details"


@dataclass(kw_only=True)
class StatusTransitions:
    """The times at which an invoice changed."""

    finalized_at: int | None = None
    marked_uncollectible_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None


@dataclass(kw_only=True)
class InvoicePayment(Resource):
    """A payment of an invoice."""

    OBJECT: ClassVar[str] = "invoice_payment"
    PREFIX: ClassVar[str] = "inpay"
    PATH: ClassVar[str] = "/v1/invoice_payments"
    EXPANDS: ClassVar[dict[str, str]] = {"invoice": "invoice", "payment_intent": "payment_intent"}

    amount_paid: int | None
    amount_requested: int
    currency: str
    invoice: str
    payment: Json
    status: Literal["open", "paid", "canceled"]
    is_default: bool = True
    status_transitions: Json


@dataclass(kw_only=True)
class Invoice(Resource):
    """An invoice of a customer."""

    OBJECT: ClassVar[str] = "invoice"
    PREFIX: ClassVar[str] = "in"
    PATH: ClassVar[str] = "/v1/invoices"
    EXPANDS: ClassVar[dict[str, str]] = {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "subscription": "subscription",
    }

    account_country: str = "US"
    account_name: str = "Fake account"
    account_tax_ids: None = None
    amount_due: int
    amount_overpaid: int = 0
    amount_paid: int = 0
    amount_remaining: int
    amount_shipping: int = 0
    application: None = None
    attempt_count: int = 0
    attempted: bool = False
    auto_advance: bool = True
    automatic_tax: Json
    automatically_finalizes_at: int | None = None
    billing_reason: BillingReason
    collection_method: Literal["charge_automatically"] = "charge_automatically"
    currency: str
    custom_fields: None = None
    customer: str
    customer_account: None = None
    customer_address: Json | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    customer_phone: str | None = None
    customer_shipping: None = None
    customer_tax_exempt: Literal["none", "exempt", "reverse"] = "none"
    customer_tax_ids: list[Json] = field(default_factory=list)
    default_payment_method: str | None = None
    default_source: None = None
    default_tax_rates: list[Json] = field(default_factory=list)
    description: str | None = None
    discounts: list[str] = field(default_factory=list)
    due_date: int | None = None
    effective_at: int | None = None
    ending_balance: int | None = None
    footer: str | None = None
    from_invoice: None = None
    hosted_invoice_url: str | None = None
    invoice_pdf: str | None = None
    issuer: Json = field(default_factory=lambda: {"type": "self"})
    last_finalization_error: None = None
    latest_revision: None = None
    lines: list[InvoiceLine] = field(metadata=EMBEDDED)
    metadata: Metadata = field(default_factory=dict)
    next_payment_attempt: int | None = None
    number: str | None = None
    on_behalf_of: None = None
    parent: InvoiceParent
    payment_settings: Json = field(
        default_factory=lambda: {"default_mandate": None, "payment_method_options": None, "payment_method_types": None}
    )
    payments: list[InvoicePayment] = field(default_factory=list, metadata=INCLUDABLE | EMBEDDED)
    period_end: int
    period_start: int
    post_payment_credit_notes_amount: int = 0
    pre_payment_credit_notes_amount: int = 0
    receipt_number: str | None = None
    rendering: None = None
    shipping_cost: None = None
    shipping_details: None = None
    starting_balance: int = 0
    statement_descriptor: str | None = None
    status: InvoiceStatus = "draft"
    status_transitions: StatusTransitions = field(default_factory=StatusTransitions)
    subtotal: int
    subtotal_excluding_tax: int
    test_clock: None = None
    total: int
    total_discount_amounts: list[DiscountAmount] = field(default_factory=list)
    total_excluding_tax: int
    total_pretax_credit_amounts: list[Json] = field(default_factory=list)
    total_taxes: list[Json] = field(default_factory=list)
    webhooks_delivered_at: int | None = None

    @property
    def subscription(self) -> str:
        """The id of the subscription."""
        return self.parent.subscription_details.subscription
