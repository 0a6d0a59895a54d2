"""Make the items of subscriptions."""

import copy

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.catalog import Price, Recurring
from app.dev.servers.stripe.objects.invoices import Period
from app.dev.servers.stripe.objects.subscriptions import Plan, SubscriptionItem


def new_item(account: Account, subscription: str, price: Price, quantity: int, period: Period) -> SubscriptionItem:
    """Return an item for a price."""
    return SubscriptionItem(
        id=account.new_id("si"),
        created=account.now,
        current_period_start=period.start,
        current_period_end=period.end,
        plan=plan_of(price),
        price=copy.deepcopy(price),
        subscription=subscription,
        quantity=None if price.is_metered else quantity,
    )


def plan_of(price: Price) -> Plan:
    """Return a price in the older form.

    Raises:
        ApiError: it isn't a recurring price.
    """
    recurring = price.recurring
    if recurring is None:
        raise invalid("The price specified is set to `type=one_time` but this field only accepts recurring prices.")
    return _plan(price, recurring)


def _plan(price: Price, recurring: Recurring) -> Plan:
    return Plan(
        id=price.id,
        created=price.created,
        currency=price.currency,
        interval=recurring.interval,
        interval_count=recurring.interval_count,
        product=price.product,
        active=price.active,
        amount=price.unit_amount,
        amount_decimal=price.unit_amount_decimal,
        usage_type=recurring.usage_type,
        meter=recurring.meter,
        nickname=price.nickname,
    )
