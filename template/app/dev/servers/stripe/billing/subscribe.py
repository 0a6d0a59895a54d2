"""Begin a subscription, through the API or through a checkout."""

from dataclasses import dataclass, field

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import lifecycle
from app.dev.servers.stripe.billing.discounts import redeem
from app.dev.servers.stripe.billing.items import new_item
from app.dev.servers.stripe.billing.periods import period_end
from app.dev.servers.stripe.cards import Outcome, TestCard, save_card
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.catalog import Coupon, Price, PromotionCode
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import CheckoutSession, CustomerDetails
from app.dev.servers.stripe.objects.invoices import Invoice, Period
from app.dev.servers.stripe.objects.subscriptions import (
    AutomaticTax,
    BillingModeType,
    EndBehavior,
    MissingPaymentMethod,
    Subscription,
    TrialSettings,
    billing_mode,
)


@dataclass(kw_only=True)
class Order:
    """The order of a new subscription."""

    customer: Customer
    prices: list[tuple[Price, int]]
    card: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    trial_end: int | None = None
    missing_payment_method: MissingPaymentMethod = "create_invoice"
    billing_mode: BillingModeType | None = None
    automatic_tax: bool = False
    cancel_at_period_end: bool = False
    coupon: Coupon | None = None
    promotion_code: str | None = None
    session: str | None = None


def subscribe(account: Account, order: Order, *, on_session: bool = False, authenticated: bool = False) -> Subscription:
    """Create a subscription and collect its first invoice.

    Raises:
        ApiError: a price isn't recurring, is inactive, or the currencies differ.
    """
    _check(order)
    now, first = account.now, order.prices[0][0]
    subscription_id = account.new_id(Subscription.PREFIX)
    anchor = order.trial_end or now
    items = [
        new_item(
            account,
            subscription_id,
            price,
            quantity,
            Period(start=now, end=order.trial_end or period_end(now, price, now)),
        )
        for price, quantity in order.prices
    ]
    subscription = Subscription(
        id=subscription_id,
        created=now,
        automatic_tax=AutomaticTax(
            enabled=order.automatic_tax, liability={"type": "self"} if order.automatic_tax else None
        ),
        billing_cycle_anchor=anchor,
        billing_mode=billing_mode(order.billing_mode or account.default_billing_mode),
        currency=first.currency,
        customer=order.customer.id,
        default_payment_method=order.card,
        description=order.description,
        items=items,
        metadata=order.metadata,
        start_date=now,
        status="incomplete",
        trial_end=order.trial_end,
        trial_settings=TrialSettings(end_behavior=EndBehavior(missing_payment_method=order.missing_payment_method)),
        trial_start=now if order.trial_end else None,
    )
    if order.coupon is not None:
        redeem(account, subscription, order.coupon, promotion_code=order.promotion_code, session=order.session)
    lifecycle.start(account, subscription, on_session=on_session, authenticated=authenticated)
    if order.cancel_at_period_end:
        set_cancel_at_period_end(account, subscription, wanted=True)
    return subscription


def _check(order: Order) -> None:
    if not order.prices:
        raise invalid("Missing required param: items.", "items", code="parameter_missing")
    if len({price.currency for price, _quantity in order.prices}) > 1:
        raise invalid("All prices on a subscription must have the same `currency`.", "items")
    for price, _quantity in order.prices:
        if not price.active:
            raise invalid(f"The price specified is inactive: {price.id}", "items[0][price]")


def set_cancel_at_period_end(account: Account, subscription: Subscription, *, wanted: bool) -> None:
    """Let a subscription end with what was paid, or take that back."""
    subscription.cancel_at_period_end = wanted
    subscription.cancel_at = subscription.period_end if wanted else None
    subscription.canceled_at = account.now if wanted else None
    subscription.cancellation_details.reason = "cancellation_requested" if wanted else None


def complete(
    account: Account, session: CheckoutSession, card: TestCard, *, email: str, code: str | None, authenticated: bool
) -> Outcome:
    """Pay for a checkout with a card. Only a payment that succeeds changes anything.

    Raises:
        ApiError: the promotion code doesn't exist, or the card can't be saved.
    """
    promotion = promotion_of(account, session, code)
    customer = account.get(Customer, session.customer)
    outcome = (
        Outcome.SUCCEEDED if session.amount_total == 0 else card.outcome(on_session=True, authenticated=authenticated)
    )
    if card.authenticates and not authenticated:
        outcome = Outcome.ACTION_REQUIRED
    if not card.can_attach:
        outcome = Outcome.DECLINED
    if outcome is not Outcome.SUCCEEDED:
        return outcome
    if customer is None:
        customer = new_customer(account, email=email)
    method = save_card(account, card, customer)
    data = session.subscription_data
    discount = session.discounts[0] if session.discounts else None
    coupon = promotion.promotion.coupon if promotion else discount.coupon if discount else None
    subscription = subscribe(
        account,
        Order(
            customer=customer,
            prices=[(line.price, line.quantity or 1) for line in session.line_items],
            card=method.id,
            description=data.description,
            metadata=dict(data.metadata),
            trial_end=data.trial_end,
            missing_payment_method=data.missing_payment_method,
            billing_mode=data.billing_mode,
            automatic_tax=session.automatic_tax["enabled"] is True,
            coupon=account.get(Coupon, coupon),
            promotion_code=promotion.id if promotion else discount.promotion_code if discount else None,
            session=session.id,
        ),
        on_session=True,
        authenticated=True,
    )
    _close(account, session, customer, subscription)
    return outcome


def _close(account: Account, session: CheckoutSession, customer: Customer, subscription: Subscription) -> None:
    invoice = account.find(Invoice, subscription.latest_invoice or "")
    session.customer, session.subscription, session.invoice = customer.id, subscription.id, invoice.id
    session.customer_details = CustomerDetails(email=customer.email, name=customer.name)
    session.status, session.url = "complete", None
    session.amount_total = invoice.total
    session.total_details.amount_discount = invoice.subtotal - invoice.total
    session.payment_status = "paid" if invoice.amount_paid else "no_payment_required"
    account.emit("checkout.session.completed", session)


def promotion_of(account: Account, session: CheckoutSession, code: str | None) -> PromotionCode | None:
    """Return the promotion code that a customer entered.

    Raises:
        ApiError: the checkout takes none, or it doesn't exist.
    """
    if not code:
        return None
    found = next((one for one in account.all(PromotionCode) if one.code.casefold() == code.casefold()), None)
    if not session.allow_promotion_codes or found is None or not found.active:
        raise invalid("This code is invalid.", "promotion_code")
    return found


def new_customer(
    account: Account, *, email: str | None, name: str | None = None, metadata: dict[str, str] | None = None
) -> Customer:
    """Create a customer."""
    customer_id = account.new_id(Customer.PREFIX)
    customer = Customer(
        id=customer_id,
        created=account.now,
        email=email,
        invoice_prefix=customer_id[-8:].upper(),
        metadata=metadata or {},
        name=name,
    )
    account.emit("customer.created", account.add(customer))
    return customer
