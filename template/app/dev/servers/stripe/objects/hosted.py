"""Sessions of the pages that Stripe hosts: checkout and the customer portal."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import EMBEDDED, HIDDEN, INCLUDABLE, Json, Metadata, Resource
from app.dev.servers.stripe.objects.catalog import Price
from app.dev.servers.stripe.objects.subscriptions import BillingModeType, MissingPaymentMethod


@dataclass(kw_only=True)
class LineItem:
    """Something that a checkout sells."""

    id: str
    price: Price
    quantity: int | None
    amount_discount: int
    amount_subtotal: int
    amount_tax: int
    amount_total: int
    currency: str
    description: str
    object: Literal["item"] = "item"
    metadata: Metadata = field(default_factory=dict)


@dataclass(kw_only=True)
class CustomerDetails:
    """The details that the customer entered."""

    address: Json | None = None
    business_name: str | None = None
    email: str | None = None
    individual_name: str | None = None
    name: str | None = None
    phone: str | None = None
    tax_exempt: Literal["none", "exempt", "reverse"] = "none"
    tax_ids: list[Json] = field(default_factory=list)


@dataclass(kw_only=True)
class TotalDetails:
    """The parts of the total besides the items."""

    amount_discount: int = 0
    amount_shipping: int = 0
    amount_tax: int = 0


@dataclass(kw_only=True)
class SessionDiscount:
    """A discount of a checkout."""

    coupon: str | None = None
    promotion_code: str | None = None


@dataclass(kw_only=True)
class SubscriptionData:
    """Settings of the subscription that a checkout creates. The API accepts them and never returns them."""

    description: str | None = None
    metadata: Metadata = field(default_factory=dict)
    trial_end: int | None = None
    missing_payment_method: MissingPaymentMethod = "create_invoice"
    billing_mode: BillingModeType | None = None


@dataclass(kw_only=True)
class CheckoutSession(Resource):
    """A page on which a customer buys a subscription."""

    OBJECT: ClassVar[str] = "checkout.session"
    PREFIX: ClassVar[str] = "cs_test"
    PATH: ClassVar[str] = "/v1/checkout/sessions"
    EXPANDS: ClassVar[dict[str, str]] = {
        "customer": "customer",
        "invoice": "invoice",
        "subscription": "subscription",
    }

    adaptive_pricing: Json | None = None
    after_expiration: None = None
    allow_promotion_codes: bool | None = None
    amount_subtotal: int
    amount_total: int
    automatic_tax: Json
    billing_address_collection: Literal["auto", "required"] | None = None
    cancel_url: str | None = None
    client_reference_id: str | None = None
    client_secret: str | None = None
    collected_information: Json | None = None
    consent: None = None
    consent_collection: None = None
    currency: str
    currency_conversion: None = None
    custom_fields: list[Json] = field(default_factory=list)
    custom_text: Json = field(default_factory=dict)
    customer: str | None = None
    customer_account: None = None
    customer_creation: Literal["always", "if_required"] | None = None
    customer_details: CustomerDetails | None = None
    customer_email: str | None = None
    discounts: list[SessionDiscount] = field(default_factory=list)
    expires_at: int
    invoice: str | None = None
    invoice_creation: None = None
    line_items: list[LineItem] = field(metadata=INCLUDABLE | EMBEDDED)
    locale: str | None = None
    metadata: Metadata = field(default_factory=dict)
    mode: Literal["subscription"] = "subscription"
    payment_intent: str | None = None
    payment_link: str | None = None
    payment_method_collection: Literal["always", "if_required"] = "always"
    payment_method_configuration_details: None = None
    payment_method_options: Json = field(default_factory=dict)
    payment_method_types: list[str] = field(default_factory=lambda: ["card"])
    payment_status: Literal["no_payment_required", "paid", "unpaid"] = "unpaid"
    phone_number_collection: Json = field(default_factory=lambda: {"enabled": False})
    recovered_from: str | None = None
    saved_payment_method_options: Json | None = None
    setup_intent: str | None = None
    shipping_address_collection: None = None
    shipping_cost: None = None
    shipping_options: list[Json] = field(default_factory=list)
    status: Literal["complete", "expired", "open"] = "open"
    submit_type: str | None = None
    subscription: str | None = None
    success_url: str
    subscription_data: SubscriptionData = field(default_factory=SubscriptionData, metadata=HIDDEN)
    total_details: TotalDetails = field(default_factory=TotalDetails)
    ui_mode: Literal["hosted_page"] = "hosted_page"
    url: str | None
    wallet_options: None = None


@dataclass(kw_only=True)
class PortalConfiguration(Resource):
    """The actions that the portal offers to customers."""

    OBJECT: ClassVar[str] = "billing_portal.configuration"
    PREFIX: ClassVar[str] = "bpc"
    PATH: ClassVar[str] = "/v1/billing_portal/configurations"

    active: bool = True
    application: None = None
    business_profile: Json
    default_return_url: str | None = None
    features: Json
    is_default: bool = False
    login_page: Json = field(default_factory=lambda: {"enabled": False, "url": None})
    metadata: Metadata = field(default_factory=dict)
    name: str | None = None
    updated: int


@dataclass(kw_only=True)
class PortalSession(Resource):
    """A page on which a customer changes subscriptions."""

    OBJECT: ClassVar[str] = "billing_portal.session"
    PREFIX: ClassVar[str] = "bps"
    PATH: ClassVar[str] = "/v1/billing_portal/sessions"
    EXPANDS: ClassVar[dict[str, str]] = {"configuration": "billing_portal.configuration"}

    configuration: str
    customer: str
    customer_account: None = None
    flow: Json | None = None
    locale: str | None = None
    on_behalf_of: None = None
    return_url: str | None = None
    url: str
