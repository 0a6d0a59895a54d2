"""The translation of Google Play's description of a subscription into a snapshot."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from app.google_iap.wire import LineItem, SubscriptionPurchase
from app.payments.port import ProviderUnavailableError, SubscriptionSnapshot, SubscriptionStatus
from app.plans.catalog import Plan, PlanCatalog

PROVIDER: Final = "google"

STATUSES: Final = {
    "SUBSCRIPTION_STATE_PENDING": SubscriptionStatus.PENDING,
    "SUBSCRIPTION_STATE_ACTIVE": SubscriptionStatus.ACTIVE,
    "SUBSCRIPTION_STATE_IN_GRACE_PERIOD": SubscriptionStatus.PAST_DUE,
    "SUBSCRIPTION_STATE_ON_HOLD": SubscriptionStatus.PAST_DUE,
    "SUBSCRIPTION_STATE_PAUSED": SubscriptionStatus.PAUSED,
    "SUBSCRIPTION_STATE_CANCELED": SubscriptionStatus.CANCELLED,
    "SUBSCRIPTION_STATE_EXPIRED": SubscriptionStatus.EXPIRED,
    "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED": SubscriptionStatus.EXPIRED,
}
"""The states of https://developer.android.com/google/play/billing/lifecycle/subscriptions."""
WITH_ACCESS: Final = frozenset(
    {"SUBSCRIPTION_STATE_ACTIVE", "SUBSCRIPTION_STATE_IN_GRACE_PERIOD", "SUBSCRIPTION_STATE_CANCELED"}
)
"""A pause begins when what was paid has ended. On hold, a payment failed and the grace period has ended."""
UNPAID: Final = frozenset({"SUBSCRIPTION_STATE_IN_GRACE_PERIOD", "SUBSCRIPTION_STATE_ON_HOLD"})
RENEWS: Final = frozenset({"SUBSCRIPTION_STATE_ACTIVE", "SUBSCRIPTION_STATE_PAUSED", *UNPAID})
"""Google charges for it again, unless it is cancelled."""
NOT_BOUGHT: Final = frozenset({"SUBSCRIPTION_STATE_PENDING", "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED"})
"""The first payment is not complete. The purchase that it would replace goes on meanwhile."""


LONGEST_DELAY: Final = timedelta(days=7)
"""The maximum delay until a renewal is noticed: notifications arrive, or the daily reconciliation runs.
A pause is at least as long."""


class Period(NamedTuple):
    """A period that was paid."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bought:
    """The product of a subscription that counts: the one of the highest plan."""

    item: LineItem
    plan: Plan | None


def bought(purchase: SubscriptionPurchase, catalog: PlanCatalog) -> Bought:
    """Return the product of the highest plan. A subscription has several products if it has add-ons."""
    found = [Bought(item=item, plan=_plan(item, catalog)) for item in purchase.line_items]
    earliest = datetime.min.replace(tzinfo=UTC)
    return max(found, key=lambda each: (-1 if each.plan is None else each.plan.rank, each.item.expiry_time or earliest))


def _plan(item: LineItem, catalog: PlanCatalog) -> Plan | None:
    """Return the plan of a base plan (`product:base-plan`), or else of the product."""
    base_plan = item.offer_details.base_plan_id
    exact = None if base_plan is None else catalog.for_product(f"{item.product_id}:{base_plan}")
    return exact or catalog.for_product(item.product_id)


def order_of(purchase: SubscriptionPurchase, item: LineItem) -> str | None:
    """Return the id of the last paid order."""
    return item.latest_successful_order_id or purchase.latest_order_id


def period_of(
    purchase: SubscriptionPurchase, item: LineItem, *, last_order: str | None, last: Period, now: datetime
) -> Period:
    """Return the period that the last order paid.

    Google Play states the start of the subscription and the end of the period, which a grace period moves. The start
    of a later period is the end of the one before it, or now if time has passed between them, as after a pause.

    Args:
        last_order: the order that was known before, and `last` its period.
    """
    if last.start is not None and last_order == order_of(purchase, item):
        return last if purchase.subscription_state in UNPAID else Period(last.start, item.expiry_time)
    if last_order is None or last.end is None:
        return Period(purchase.start_time, item.expiry_time)
    return Period(last.end if now - last.end < LONGEST_DELAY else now, item.expiry_time)


def snapshot_of(
    token_id: str,
    purchase: SubscriptionPurchase,
    product: Bought,
    *,
    period: Period,
    taken_at: datetime,
) -> SubscriptionSnapshot:
    """Translate a subscription.

    Access lasts until the expiry while it is active, cancelled or in its grace period, and not at all while it is on
    hold, paused or pending.

    Args:
        token_id: the id of the purchase token.
        product: the product that counts.
        period: the period that was paid.
        taken_at: when the request was sent.

    Raises:
        ProviderUnavailableError: the state is not known here.
    """
    state, expiry = purchase.subscription_state, product.item.expiry_time
    if state not in STATUSES:
        raise ProviderUnavailableError(f"Google Play describes a subscription with the unknown state {state[:60]}.")
    trial = product.item.offer_phase.free_trial is not None
    status = STATUSES[state]
    if status is SubscriptionStatus.ACTIVE and trial:
        status = SubscriptionStatus.TRIALING
    return SubscriptionSnapshot(
        provider=PROVIDER,
        provider_id=token_id,
        user_id=account_of(purchase),
        plan=None if product.plan is None else product.plan.name,
        product=product.item.product_id,
        status=status,
        access_until=expiry if state in WITH_ACCESS else None,
        period_start=period.start,
        period_end=period.end,
        # A prepaid subscription never renews.
        cancel_at_period_end=status is SubscriptionStatus.CANCELLED
        or (state in WITH_ACCESS and product.item.prepaid_plan is not None),
        trial_end=expiry if trial and state in WITH_ACCESS else None,
        grace_end=expiry if state == "SUBSCRIPTION_STATE_IN_GRACE_PERIOD" else None,
        sandbox=purchase.test_purchase is not None,
        taken_at=taken_at,
    )


def account_of(purchase: SubscriptionPurchase) -> UUID | None:
    """Return the user that the app named when the purchase was made."""
    try:
        return UUID(purchase.account or "")
    except ValueError:
        return None


def without_access(snapshot: SubscriptionSnapshot, status: SubscriptionStatus) -> SubscriptionSnapshot:
    """Return the snapshot of a subscription that was replaced or whose payment was returned."""
    return replace(
        snapshot, status=status, access_until=None, cancel_at_period_end=False, trial_end=None, grace_end=None
    )
