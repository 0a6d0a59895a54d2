"""Customers and their payment methods."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import Json, Metadata, Resource


@dataclass(kw_only=True)
class CustomerInvoiceSettings:
    """How a customer pays invoices."""

    custom_fields: None = None
    default_payment_method: str | None = None
    footer: str | None = None
    rendering_options: None = None


@dataclass(kw_only=True)
class Customer(Resource):
    """A buyer. A negative balance is credit that the next invoice uses."""

    OBJECT: ClassVar[str] = "customer"
    PREFIX: ClassVar[str] = "cus"
    PATH: ClassVar[str] = "/v1/customers"
    EXPANDS: ClassVar[dict[str, str]] = {"default_payment_method": "payment_method"}

    address: Json | None = None
    balance: int = 0
    currency: str | None = None
    customer_account: None = None
    default_source: None = None
    delinquent: bool = False
    description: str | None = None
    discount: None = None
    email: str | None = None
    invoice_prefix: str
    invoice_settings: CustomerInvoiceSettings = field(default_factory=CustomerInvoiceSettings)
    metadata: Metadata = field(default_factory=dict)
    name: str | None = None
    next_invoice_sequence: int = 1
    phone: str | None = None
    preferred_locales: list[str] = field(default_factory=list)
    shipping: None = None
    tax_exempt: Literal["none", "exempt", "reverse"] = "none"
    test_clock: None = None


@dataclass(kw_only=True)
class BillingDetails:
    """The holder of a card."""

    address: Json
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    tax_id: str | None = None


@dataclass(kw_only=True)
class Card:
    """A test card. `last4` decides what happens to a payment: see `cards.py`."""

    brand: str
    exp_month: int
    exp_year: int
    last4: str
    checks: Json
    country: str = "US"
    display_brand: str = "visa"
    fingerprint: str
    funding: str = "credit"
    generated_from: None = None
    networks: Json
    regulated_status: Literal["unregulated"] = "unregulated"
    three_d_secure_usage: Json
    wallet: None = None


@dataclass(kw_only=True)
class PaymentMethod(Resource):
    """A card of a customer."""

    OBJECT: ClassVar[str] = "payment_method"
    PREFIX: ClassVar[str] = "pm"
    PATH: ClassVar[str] = "/v1/payment_methods"
    EXPANDS: ClassVar[dict[str, str]] = {"customer": "customer"}

    billing_details: BillingDetails
    card: Card
    customer: str | None
    allow_redisplay: Literal["always", "limited", "unspecified"] = "unspecified"
    customer_account: None = None
    metadata: Metadata = field(default_factory=dict)
    type: Literal["card"] = "card"
