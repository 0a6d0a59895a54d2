"""Checkout sessions."""

import copy

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.billing import due
from app.dev.servers.stripe.billing.discounts import find_coupon, reduction
from app.dev.servers.stripe.billing.periods import DAY
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.catalog import Price, Product
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import (
    CheckoutSession,
    CustomerDetails,
    LineItem,
    SessionDiscount,
    SubscriptionData,
    TotalDetails,
)
from app.dev.servers.stripe.objects.subscriptions import BILLING_MODES, MISSING_PAYMENT_METHOD
from app.dev.servers.stripe.params import MAX_INTEGER, Params

_HALF_HOUR = 1800
_MAX_TRIAL_DAYS = 730


def create(call: Call) -> Answer:
    """Create a checkout of a subscription on a hosted page (`ui_mode=hosted_page`)."""
    params, account = call.params, call.account
    params.choice("mode", ("subscription",))
    params.choice("ui_mode", ("hosted_page",))
    customer, email = params.text("customer"), params.text("customer_email")
    if customer is not None:
        account.find(Customer, customer, param="customer")
    lines = [_line(account, entry) for entry in params.entries("line_items")]
    data, discounts = _subscription_data(account, params.group("subscription_data")), _discounts(account, params)
    tax: Json = {"enabled": params.group("automatic_tax").boolean("enabled") is True, "liability": None}
    session_id = account.new_id(CheckoutSession.PREFIX)
    subtotal = 0 if data.trial_end else sum(line.amount_subtotal for line in lines)
    off = (
        reduction(find_coupon(account, discounts[0].coupon, discounts[0].promotion_code), subtotal) if discounts else 0
    )
    session = CheckoutSession(
        id=session_id,
        created=account.now,
        allow_promotion_codes=params.boolean("allow_promotion_codes"),
        amount_subtotal=subtotal,
        amount_total=subtotal - off,
        automatic_tax={**tax, "provider": "stripe" if tax["enabled"] else None, "status": None},
        billing_address_collection=params.choice("billing_address_collection", ("auto", "required")),
        cancel_url=params.text("cancel_url"),
        client_reference_id=params.text("client_reference_id"),
        currency=lines[0].currency if lines else params.required("currency"),
        customer=customer,
        customer_details=CustomerDetails(email=email) if email else None,
        customer_email=email,
        discounts=discounts,
        expires_at=_expiry(account, params),
        line_items=lines,
        locale=params.text("locale"),
        metadata=call.metadata(),
        payment_method_collection=params.choice("payment_method_collection", ("always", "if_required")) or "always",
        subscription_data=data,
        success_url=params.required("success_url"),
        total_details=TotalDetails(amount_discount=off),
        url=f"{account.base_url}/checkout/{session_id}",
    )
    params.ignore("customer_update", "tax_id_collection", "payment_method_types", "custom_text", "consent_collection")
    params.ignore("saved_payment_method_options", "adaptive_pricing", "phone_number_collection", "origin_context")
    params.finish()
    if not lines:
        raise invalid("Missing required param: line_items.", "line_items", code="parameter_missing")
    if discounts and session.allow_promotion_codes is not None:
        raise invalid("You may only specify one of these parameters: allow_promotion_codes, discounts.")
    return account.add(session)


def _line(account: Account, params: Params) -> LineItem:
    price = account.find(Price, params.required("price"), param=params.name("price"))
    quantity = params.integer("quantity", least=1, most=MAX_INTEGER)
    params.ignore("adjustable_quantity")
    if not price.active:
        raise invalid(f"The price specified is inactive: {price.id}", params.name("price"))
    if price.recurring is None:
        raise invalid("You must provide at least one recurring price in `subscription` mode.", params.name("price"))
    if quantity is None and not price.is_metered:
        raise invalid("Quantity is required.", params.name("quantity"), code="parameter_missing")
    amount = price.amount_of(quantity)
    return LineItem(
        id=account.new_id("li"),
        amount_discount=0,
        amount_subtotal=amount,
        amount_tax=0,
        amount_total=amount,
        currency=price.currency,
        description=account.find(Product, price.product).name,
        price=copy.deepcopy(price),
        quantity=quantity,
    )


def _subscription_data(account: Account, params: Params) -> SubscriptionData:
    days, end = params.integer("trial_period_days", least=1, most=_MAX_TRIAL_DAYS), params.integer("trial_end")
    behavior = params.group("trial_settings").group("end_behavior")
    if days is not None and end is not None:
        raise invalid("You may only specify one of these parameters: trial_period_days, trial_end.")
    return SubscriptionData(
        description=params.text("description"),
        metadata=params.mapping("metadata"),
        billing_mode=params.group("billing_mode").choice("type", BILLING_MODES),
        missing_payment_method=behavior.choice("missing_payment_method", MISSING_PAYMENT_METHOD) or "create_invoice",
        trial_end=end if days is None else account.now + days * DAY,
    )


def _discounts(account: Account, params: Params) -> list[SessionDiscount]:
    found = [
        SessionDiscount(coupon=one.text("coupon"), promotion_code=one.text("promotion_code"))
        for one in params.entries("discounts")
    ]
    for one in found:
        one.coupon = find_coupon(account, one.coupon, one.promotion_code).id
    return found


def _expiry(account: Account, params: Params) -> int:
    now = account.now
    wanted = params.integer("expires_at")
    if wanted is not None and not now + _HALF_HOUR - 60 <= wanted <= now + DAY + 60:
        raise invalid("The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", "expires_at")
    return wanted or now + DAY


def expire(call: Call) -> Answer:
    """Expire an open checkout."""
    call.params.finish()
    session = call.one(CheckoutSession)
    if session.status != "open":
        raise invalid(f'Only Checkout Sessions with a status in ["open"] can be expired. It is {session.status}.')
    due.expire(call.account, session)
    return session


def listed(call: Call) -> Answer:
    """List checkouts."""
    params = call.params
    customer, subscription, status = call.customer(), params.text("subscription"), params.text("status")
    return call.page(
        CheckoutSession,
        lambda one: (
            customer in {None, one.customer}
            and subscription in {None, one.subscription}
            and status in {None, one.status}
        ),
    )


def line_items(call: Call) -> Answer:
    """List the line items of a checkout."""
    session = call.one(CheckoutSession)
    call.params.ignore("limit", "starting_after")
    call.params.finish()
    return {
        "object": "list",
        "data": list(session.line_items),
        "has_more": False,
        "url": f"/v1/checkout/sessions/{session.id}/line_items",
    }
