"""Charge cards, and give money back."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.cards import Outcome, card_of
from app.dev.servers.stripe.errors import ApiError, invalid
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.customers import PaymentMethod
from app.dev.servers.stripe.objects.payments import (
    Charge,
    Dispute,
    EvidenceDetails,
    PaymentIntent,
    Refund,
    RefundReason,
)

_DECLINED = "Your card was declined."
_MESSAGES = {"generic_decline": _DECLINED, "insufficient_funds": "Your card has insufficient funds."}
_ACTION: Json = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
_EVIDENCE_SECONDS = 7 * 86_400


def new_intent(account: Account, *, customer: str, amount: int, currency: str, description: str) -> PaymentIntent:
    """Create a payment that has no card yet."""
    intent_id = account.new_id(PaymentIntent.PREFIX)
    intent = PaymentIntent(
        id=intent_id,
        created=account.now,
        amount=amount,
        client_secret=f"{intent_id}_secret",
        currency=currency,
        customer=customer,
        description=description,
        status="requires_payment_method",
    )
    account.emit("payment_intent.created", account.add(intent))
    return intent


def attempt(
    account: Account, intent: PaymentIntent, method: PaymentMethod | None, *, on_session: bool, authenticated: bool
) -> Outcome:
    """Try to collect a payment with a card."""
    if method is None:
        intent.last_payment_error = {"code": "missing", "message": "The customer has no card.", "type": "card_error"}
        account.emit("payment_intent.payment_failed", intent)
        return Outcome.DECLINED
    card = card_of(method)
    outcome = card.outcome(on_session=on_session, authenticated=authenticated)
    intent.payment_method, intent.next_action = method.id, None
    if outcome is Outcome.ACTION_REQUIRED:
        intent.status, intent.next_action = "requires_action", dict(_ACTION)
        account.emit("payment_intent.requires_action", intent)
        return outcome
    succeeded = outcome is Outcome.SUCCEEDED
    message = None if succeeded else _MESSAGES.get(card.decline_code or "", _DECLINED)
    charge = _charge(account, intent, method, failure=message)
    intent.latest_charge = charge.id
    if succeeded:
        intent.status, intent.amount_received, intent.last_payment_error = "succeeded", intent.amount, None
    else:
        intent.status = "requires_payment_method"
        intent.last_payment_error = {
            "charge": charge.id,
            "code": "card_declined",
            "decline_code": card.decline_code,
            "message": message,
            "type": "card_error",
        }
    account.emit("charge.succeeded" if succeeded else "charge.failed", charge)
    account.emit("payment_intent.succeeded" if succeeded else "payment_intent.payment_failed", intent)
    return outcome


def _charge(account: Account, intent: PaymentIntent, method: PaymentMethod, *, failure: str | None) -> Charge:
    succeeded = failure is None
    return account.add(
        Charge(
            id=account.new_id(Charge.PREFIX),
            created=account.now,
            amount=intent.amount,
            amount_captured=intent.amount if succeeded else 0,
            billing_details=method.billing_details,
            captured=succeeded,
            currency=intent.currency,
            customer=intent.customer,
            description=intent.description,
            failure_code=None if succeeded else "card_declined",
            failure_message=failure,
            paid=succeeded,
            payment_intent=intent.id,
            payment_method=method.id,
            status="succeeded" if succeeded else "failed",
        )
    )


def card_error(intent: PaymentIntent) -> ApiError:
    """Return the error for a payment that failed."""
    if intent.status == "requires_action":
        return ApiError(
            message="The payment requires the customer's confirmation.",
            status=402,
            type="card_error",
            code="subscription_payment_intent_requires_action",
            payment_intent=intent.id,
        )
    error = intent.last_payment_error or {}
    return ApiError(
        message=str(error.get("message", _DECLINED)),
        status=402,
        type="card_error",
        code=str(error.get("code", "card_declined")),
        decline_code=str(error["decline_code"]) if error.get("decline_code") else None,
        payment_intent=intent.id,
    )


def refund(
    account: Account, charge: Charge, amount: int | None, reason: RefundReason | None, metadata: dict[str, str]
) -> Refund:
    """Give a payment back, whole or in part. The subscription stays as it is: refunding doesn't cancel.

    Raises:
        ApiError: there isn't as much left.
    """
    left = charge.amount_captured - charge.amount_refunded
    if left == 0:
        raise invalid(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", "amount")
    made = Refund(
        id=account.new_id(Refund.PREFIX),
        created=account.now,
        amount=left if amount is None else amount,
        charge=charge.id,
        currency=charge.currency,
        metadata=metadata,
        payment_intent=charge.payment_intent,
        reason=reason,
    )
    account.add(made)
    charge.amount_refunded += made.amount
    charge.refunded = charge.amount_refunded == charge.amount_captured
    charge.refunds.append(made)
    account.emit("charge.refunded", charge)
    account.emit("refund.created", made)
    return made


def dispute(account: Account, charge: Charge) -> Dispute:
    """Let the holder of the card contest a payment."""
    made = Dispute(
        id=account.new_id(Dispute.PREFIX),
        created=account.now,
        amount=charge.amount,
        charge=charge.id,
        currency=charge.currency,
        evidence_details=EvidenceDetails(due_by=account.now + _EVIDENCE_SECONDS),
        payment_intent=charge.payment_intent,
    )
    charge.disputed = True
    account.emit("charge.dispute.created", account.add(made))
    return made


def close_dispute(account: Account, one: Dispute, *, won: bool) -> None:
    """Decide a dispute."""
    one.status = "won" if won else "lost"
    account.emit("charge.dispute.closed", one)
