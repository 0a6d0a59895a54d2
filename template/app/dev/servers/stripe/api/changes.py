"""Read what a request wants to sell, or to change about a subscription."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.api.call import Call
from app.dev.servers.stripe.billing.changes import Change, ItemChange
from app.dev.servers.stripe.billing.discounts import find_coupon
from app.dev.servers.stripe.billing.periods import DAY
from app.dev.servers.stripe.billing.subscribe import Order
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.catalog import Price
from app.dev.servers.stripe.objects.customers import Customer, PaymentMethod
from app.dev.servers.stripe.objects.subscriptions import BILLING_MODES, MISSING_PAYMENT_METHOD, Subscription
from app.dev.servers.stripe.params import MAX_INTEGER, Params


def order_of(call: Call) -> Order:
    """Return what a request to create a subscription asks for.

    Raises:
        ApiError: a parameter is wrong.
    """
    params, account = call.params, call.account
    days = params.integer("trial_period_days", least=1, most=730)
    end = params.integer("trial_end")
    behavior = params.group("trial_settings").group("end_behavior")
    card, discounts = params.text("default_payment_method"), params.entries("discounts")
    customer = account.find(Customer, params.required("customer"), param="customer")
    if card is not None and account.find(PaymentMethod, card).customer != customer.id:
        raise invalid("The payment method must be attached to the customer.", "default_payment_method")
    coupon, code = (discounts[0].text("coupon"), discounts[0].text("promotion_code")) if discounts else (None, None)
    return Order(
        customer=customer,
        prices=[
            (
                account.find(Price, entry.required("price"), param=entry.name("price")),
                entry.integer("quantity", least=0, most=MAX_INTEGER) or 1,
            )
            for entry in params.entries("items")
        ],
        card=card,
        description=params.text("description"),
        metadata=call.metadata(),
        trial_end=end if days is None else account.now + days * DAY,
        missing_payment_method=behavior.choice("missing_payment_method", MISSING_PAYMENT_METHOD) or "create_invoice",
        billing_mode=params.group("billing_mode").choice("type", BILLING_MODES),
        automatic_tax=params.group("automatic_tax").boolean("enabled") is True,
        cancel_at_period_end=params.boolean("cancel_at_period_end") is True,
        coupon=find_coupon(account, coupon, code) if discounts else None,
        promotion_code=code,
    )


def change_of(call: Call, params: Params, subscription: Subscription) -> Change:
    """Return the change of items that a request asks for; without items, nothing changes.

    Raises:
        ApiError: a parameter is wrong.
    """
    account = call.account
    at = params.integer("proration_date")
    if at is not None and not subscription.period_start <= at <= subscription.period_end:
        raise invalid("`proration_date` must be within the current period.", "proration_date")
    return Change(
        at=at or account.now,
        items=[_item(account, entry) for entry in params.entries("items")],
        proration=params.choice("proration_behavior", ("always_invoice", "create_prorations", "none"))
        or "create_prorations",
        payment=params.choice("payment_behavior", ("allow_incomplete", "error_if_incomplete")) or "allow_incomplete",
        restart=params.choice("billing_cycle_anchor", ("now", "unchanged")) == "now",
    )


def _item(account: Account, params: Params) -> ItemChange:
    price = params.text("price")
    return ItemChange(
        item=params.text("id"),
        price=None if price is None else account.find(Price, price, param=params.name("price")),
        quantity=params.integer("quantity", least=0, most=MAX_INTEGER),
        deleted=params.boolean("deleted") is True,
    )
