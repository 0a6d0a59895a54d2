"""Subscriptions and their items."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import EMBEDDED, HIDDEN, Json, Metadata, Resource
from app.dev.servers.stripe.objects.catalog import Price

type SubscriptionStatus = Literal[
    "active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
]
type CancellationReason = Literal["cancellation_requested", "payment_disputed", "payment_failed"]
type PauseBehavior = Literal["keep_as_draft", "mark_uncollectible", "void"]
type MissingPaymentMethod = Literal["cancel", "create_invoice", "pause"]
type BillingModeType = Literal["classic", "flexible"]

BILLING_MODES: tuple[BillingModeType, ...] = ("classic", "flexible")
PAUSE_BEHAVIORS: tuple[PauseBehavior, ...] = ("keep_as_draft", "mark_uncollectible", "void")
MISSING_PAYMENT_METHOD: tuple[MissingPaymentMethod, ...] = ("cancel", "create_invoice", "pause")


@dataclass(kw_only=True)
class AutomaticTax:
    """Whether tax is calculated. The fake charges no tax."""

    disabled_reason: None = None
    enabled: bool = False
    liability: Json | None = None


@dataclass(kw_only=True)
class Plan:
    """The older description of a price, which items still carry."""

    id: str
    created: int
    currency: str
    interval: str
    interval_count: int
    product: str
    active: bool
    amount: int | None
    amount_decimal: str | None
    usage_type: Literal["licensed", "metered"]
    meter: str | None
    object: Literal["plan"] = "plan"
    billing_scheme: Literal["per_unit"] = "per_unit"
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    nickname: str | None = None
    tiers_mode: None = None
    transform_usage: None = None
    trial_period_days: int | None = None


@dataclass(kw_only=True)
class SubscriptionItem:
    """A price in a subscription. Since API version 2025-03-31 the period belongs to the item.

    Attributes:
        metered_from: the time from which usage counts, if the price was added within the period.
    """

    id: str
    created: int
    current_period_start: int
    current_period_end: int
    plan: Plan
    price: Price
    subscription: str
    quantity: int | None = 1
    metered_from: int = field(default=0, metadata=HIDDEN)
    object: Literal["subscription_item"] = "subscription_item"
    billing_thresholds: None = None
    discounts: list[str] = field(default_factory=list)
    metadata: Metadata = field(default_factory=dict)
    tax_rates: list[Json] = field(default_factory=list)


@dataclass(kw_only=True)
class CancellationDetails:
    """Why a subscription ends."""

    comment: str | None = None
    feedback: str | None = None
    reason: CancellationReason | None = None


@dataclass(kw_only=True)
class PauseCollection:
    """Invoices are not paid meanwhile. The subscription stays active."""

    behavior: PauseBehavior
    resumes_at: int | None = None


@dataclass(kw_only=True)
class EndBehavior:
    """The action at the end of a trial without a payment method."""

    missing_payment_method: MissingPaymentMethod = "create_invoice"


@dataclass(kw_only=True)
class TrialSettings:
    """Settings of a trial."""

    end_behavior: EndBehavior = field(default_factory=EndBehavior)


@dataclass(kw_only=True)
class BillingMode:
    """The rules for prorations, and for the usage before a change of a metered price."""

    type: BillingModeType = "flexible"
    flexible: dict[str, None] | None = field(default_factory=lambda: {"proration_discounts": None})


def billing_mode(type_: BillingModeType) -> BillingMode:
    """Return the rules of a mode."""
    return BillingMode() if type_ == "flexible" else BillingMode(type=type_, flexible=None)


@dataclass(kw_only=True)
class Subscription(Resource):
    """A recurring purchase of a customer."""

    OBJECT: ClassVar[str] = "subscription"
    PREFIX: ClassVar[str] = "sub"
    PATH: ClassVar[str] = "/v1/subscriptions"
    EXPANDS: ClassVar[dict[str, str]] = {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "latest_invoice": "invoice",
    }

    customer: str
    currency: str
    billing_cycle_anchor: int
    start_date: int
    status: SubscriptionStatus
    items: list[SubscriptionItem] = field(metadata=EMBEDDED)
    application: None = None
    application_fee_percent: None = None
    automatic_tax: AutomaticTax = field(default_factory=AutomaticTax)
    billing_cycle_anchor_config: None = None
    billing_mode: BillingMode = field(default_factory=BillingMode)
    billing_schedules: list[Json] = field(default_factory=list)
    billing_thresholds: None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    cancellation_details: CancellationDetails = field(default_factory=CancellationDetails)
    collection_method: Literal["charge_automatically"] = "charge_automatically"
    customer_account: None = None
    days_until_due: int | None = None
    default_payment_method: str | None = None
    default_source: None = None
    default_tax_rates: list[Json] = field(default_factory=list)
    description: str | None = None
    discounts: list[str] = field(default_factory=list)
    ended_at: int | None = None
    invoice_settings: Json = field(default_factory=lambda: {"account_tax_ids": None, "issuer": {"type": "self"}})
    latest_invoice: str | None = None
    metadata: Metadata = field(default_factory=dict)
    next_pending_invoice_item_invoice: int | None = None
    on_behalf_of: None = None
    pause_collection: PauseCollection | None = None
    payment_settings: Json = field(
        default_factory=lambda: {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        }
    )
    pending_invoice_item_interval: None = None
    pending_setup_intent: str | None = None
    pending_update: None = None
    schedule: None = None
    status_details: Json | None = None
    test_clock: None = None
    transfer_data: None = None
    trial_end: int | None = None
    trial_settings: TrialSettings = field(default_factory=TrialSettings)
    trial_start: int | None = None

    @property
    def period_start(self) -> int:
        """The beginning of what was last invoiced."""
        return max(item.current_period_start for item in self.items)

    @property
    def period_end(self) -> int:
        """The next renewal."""
        return min(item.current_period_end for item in self.items)

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes this subscription any more."""
        return self.status in {"canceled", "incomplete_expired"}

    def item(self, item_id: str) -> SubscriptionItem | None:
        """Return the item with the id."""
        return next((item for item in self.items if item.id == item_id), None)
