"""Payments, refunds and disputes."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import EMBEDDED, HIDDEN, INCLUDABLE, Json, Metadata, Resource
from app.dev.servers.stripe.objects.customers import BillingDetails

type PaymentStatus = Literal["canceled", "requires_action", "requires_payment_method", "succeeded"]
type RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]

REFUND_REASONS: tuple[RefundReason, ...] = ("duplicate", "fraudulent", "requested_by_customer")


@dataclass(kw_only=True)
class PaymentIntent(Resource):
    """The attempt to collect an amount."""

    OBJECT: ClassVar[str] = "payment_intent"
    PREFIX: ClassVar[str] = "pi"
    PATH: ClassVar[str] = "/v1/payment_intents"
    EXPANDS: ClassVar[dict[str, str]] = {
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
    }

    amount: int
    amount_capturable: int = 0
    amount_received: int = 0
    application: None = None
    application_fee_amount: None = None
    automatic_payment_methods: None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    capture_method: Literal["automatic"] = "automatic"
    client_secret: str
    confirmation_method: Literal["automatic"] = "automatic"
    currency: str
    customer: str
    customer_account: None = None
    description: str | None = None
    last_payment_error: Json | None = None
    latest_charge: str | None = None
    metadata: Metadata = field(default_factory=dict)
    next_action: Json | None = None
    on_behalf_of: None = None
    payment_method: str | None = None
    payment_method_types: list[str] = field(default_factory=lambda: ["card"])
    processing: None = None
    receipt_email: str | None = None
    setup_future_usage: Literal["off_session"] | None = "off_session"
    shipping: None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    status: PaymentStatus
    transfer_data: None = None
    transfer_group: None = None


@dataclass(kw_only=True)
class Refund(Resource):
    """Money that was given back."""

    OBJECT: ClassVar[str] = "refund"
    PREFIX: ClassVar[str] = "re"
    PATH: ClassVar[str] = "/v1/refunds"
    EXPANDS: ClassVar[dict[str, str]] = {"charge": "charge", "payment_intent": "payment_intent"}

    livemode: bool = field(default=False, metadata=HIDDEN)
    amount: int
    balance_transaction: str | None = None
    charge: str
    currency: str
    metadata: Metadata = field(default_factory=dict)
    payment_intent: str
    reason: RefundReason | None = None
    receipt_number: str | None = None
    source_transfer_reversal: None = None
    status: Literal["succeeded"] = "succeeded"
    transfer_reversal: None = None


@dataclass(kw_only=True)
class Charge(Resource):
    """A payment of a card, successful or not."""

    OBJECT: ClassVar[str] = "charge"
    PREFIX: ClassVar[str] = "ch"
    PATH: ClassVar[str] = "/v1/charges"
    EXPANDS: ClassVar[dict[str, str]] = {"customer": "customer", "payment_intent": "payment_intent"}

    amount: int
    amount_captured: int
    amount_refunded: int = 0
    application: None = None
    application_fee: None = None
    application_fee_amount: None = None
    balance_transaction: str | None = None
    billing_details: BillingDetails
    calculated_statement_descriptor: str | None = None
    captured: bool
    currency: str
    customer: str
    description: str | None = None
    disputed: bool = False
    failure_balance_transaction: None = None
    failure_code: str | None = None
    failure_message: str | None = None
    fraud_details: Json = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    on_behalf_of: None = None
    paid: bool
    payment_intent: str
    payment_method: str
    receipt_email: str | None = None
    receipt_number: str | None = None
    receipt_url: str | None = None
    refunded: bool = False
    refunds: list[Refund] = field(default_factory=list, metadata=INCLUDABLE | EMBEDDED)
    review: None = None
    shipping: None = None
    source_transfer: None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    status: Literal["failed", "succeeded"]
    transfer_data: None = None
    transfer_group: None = None


@dataclass(kw_only=True)
class EvidenceDetails:
    """The evidence of a dispute."""

    due_by: int
    enhanced_eligibility: Json = field(default_factory=dict)
    has_evidence: bool = False
    past_due: bool = False
    submission_count: int = 0
    submission_method: Literal["not_submitted"] = "not_submitted"


@dataclass(kw_only=True)
class Dispute(Resource):
    """A charge that the holder of the card contests."""

    OBJECT: ClassVar[str] = "dispute"
    PREFIX: ClassVar[str] = "du"
    PATH: ClassVar[str] = "/v1/disputes"
    EXPANDS: ClassVar[dict[str, str]] = {"charge": "charge", "payment_intent": "payment_intent"}

    amount: int
    balance_transactions: list[Json] = field(default_factory=list)
    charge: str
    currency: str
    enhanced_eligibility_types: list[str] = field(default_factory=list)
    evidence: Json = field(default_factory=lambda: {"enhanced_evidence": {}})
    evidence_details: EvidenceDetails
    is_charge_refundable: bool = False
    metadata: Metadata = field(default_factory=dict)
    payment_intent: str
    reason: Literal["fraudulent", "subscription_canceled", "general"] = "fraudulent"
    status: Literal["lost", "needs_response", "under_review", "won"] = "needs_response"
