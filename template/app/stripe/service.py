"""The current user's subscription at Stripe: cancel, resume, preview and change."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from app.core.context import Actor
from app.core.db.models import utc_now
from app.core.errors import BadRequestError
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.models import Subscription
from app.payments.port import SubscriptionStatus
from app.payments.repository import SubscriptionRepository
from app.payments.store import ENDED
from app.plans.catalog import PlanCatalog
from app.stripe import wire
from app.stripe.api import StripeApi
from app.stripe.customers import digest
from app.stripe.errors import NotSubscribedError
from app.stripe.prices import Interval, StripePrices
from app.stripe.provider import StripeProvider
from app.stripe.schemas import BillingStatus, ChangePreview, PlanChange, SubscriptionRead, WantedChange
from app.stripe.snapshots import NAME, ends_with_period

if TYPE_CHECKING:
    from stripe.params import SubscriptionUpdateParams

PREVIEW_LIFETIME: Final = timedelta(hours=1)
PRORATION: Final = "always_invoice"
"""A change is invoiced at once: what the preview shows is what is paid."""


class PreviewExpiredError(BadRequestError):
    """The proration date is not that of a recent preview."""

    code = "PREVIEW_EXPIRED"

    def __init__(self) -> None:
        super().__init__("The preview is older than an hour. Request a new one, and send its `proration_date`.")


async def billing_status(runtime: Runtime, user_id: UUID) -> BillingStatus:
    """Return a user's plan and subscriptions."""
    async with runtime.database.reading() as session:
        plan = await runtime.resource(SubscriptionEntitlements).plan_of(session, user_id, utc_now())
        rows = await SubscriptionRepository(session).of_user(user_id)
    return BillingStatus(plan=plan, subscriptions=[SubscriptionRead.model_validate(row) for row in rows])


@dataclass(frozen=True, slots=True)
class UserSubscription:
    """A user's subscription at Stripe. No database connection is held during the calls.

    Attributes:
        actor: who acts, for the audit trail.
        chosen: the row's id, if the user has several.
    """

    runtime: Runtime
    user_id: UUID
    actor: Actor
    chosen: UUID | None = None

    async def cancel(self) -> None:
        """Cancel at the end of the period that was paid. A subscription that gives no access ends at once."""
        row = await self._row(without_access=True)
        current = await self._current(row)
        stored = await converge(self.runtime, self.runtime.resource(StripeProvider), row.provider_id)
        if stored is None or not stored.gives_access(utc_now()):
            await self._api.cancel_subscription(current.id)
        elif not self._is_cancelled(current):
            await self._api.update_subscription(current.id, {"cancel_at_period_end": True})
        await self._record("subscription.cancelled", row)

    async def resume(self) -> None:
        """Undo a cancellation, or end a pause."""
        row = await self._row()
        current = await self._current(row)
        if current.cancel_at_period_end:
            await self._api.update_subscription(current.id, {"cancel_at_period_end": False})
        elif self._is_cancelled(current):
            await self._api.update_subscription(current.id, {"cancel_at": ""})
        if current.pause_collection is not None:
            await self._api.update_subscription(current.id, {"pause_collection": ""})
        if current.status == "paused":
            await self._api.resume_subscription(current.id)
        await self._record("subscription.resumed", row)

    async def preview(self, wanted: WantedChange) -> ChangePreview:
        """Return what a change costs now, and the date that makes the change cost the same."""
        current = await self._current(await self._row())
        price = await self._prices.id_of(wanted.plan, wanted.interval)
        item = self._item(current)
        invoice = await self._api.preview(
            {
                "customer": current.customer_id,
                "subscription": current.id,
                "subscription_details": {
                    "items": [
                        {"id": item.id, "price": price, "quantity": wanted.quantity or item.quantity or 1},
                        *await self._metered_items(current, wanted.interval),
                    ],
                    "proration_behavior": PRORATION,
                },
            }
        )
        return ChangePreview(
            amount_due=invoice.amount_due,
            total=invoice.total,
            currency=invoice.currency,
            proration_date=invoice.proration_date or utc_now().replace(microsecond=0),
        )

    async def change(self, data: PlanChange) -> None:
        """Change the plan, the interval or the seats, at the cost that the preview showed.

        Raises:
            PaymentFailedError: the payment was declined; nothing has changed.
            PreviewExpiredError: the preview is too old.
        """
        at = data.proration_date if data.proration_date.tzinfo else data.proration_date.replace(tzinfo=UTC)
        # Stripe's own time counts: an old or future date would make the change cheaper.
        if not timedelta() <= (await self.preview(data)).proration_date - at <= PREVIEW_LIFETIME:
            raise PreviewExpiredError
        row = await self._row()
        current = await self._current(row)
        item = self._item(current)
        params: SubscriptionUpdateParams = {
            "items": [
                {
                    "id": item.id,
                    "price": await self._prices.id_of(data.plan, data.interval),
                    "quantity": data.quantity or item.quantity or 1,
                },
                *await self._metered_items(current, data.interval),
            ],
            "proration_behavior": PRORATION,
            "payment_behavior": "error_if_incomplete",
        }
        if current.status != "trialing":
            params["proration_date"] = int(at.timestamp())
        key = f"change/{current.id}/{int(at.timestamp())}/{digest(params)}"
        await self._api.update_subscription(current.id, params, key=key)
        await self._record("subscription.change_requested", row, plan=data.plan, interval=data.interval.value)

    async def _metered_items(self, current: wire.Subscription, interval: Interval) -> list[Any]:
        """Return the changes of metered items: Stripe requires all items to have the same interval."""
        wanted = await self._prices.metered_ids(interval)
        items = self._prices.metered_items(current.items.data)
        there = {item.price.id for item in items}
        removed: list[Any] = [{"id": item.id, "deleted": True} for item in items if item.price.id not in wanted]
        return removed + [{"price": id_} for id_ in wanted if id_ not in there]

    async def _row(self, *, without_access: bool = False) -> Subscription:
        """Return the subscription to act on: of several, the chosen one, or the one of the highest plan.

        Args:
            without_access: whether a refunded or unpaid one counts, if the user has no other.

        Raises:
            NotSubscribedError: the user has none at Stripe, or the chosen one is not theirs.
        """
        catalog = self.runtime.resource(PlanCatalog)
        async with self.runtime.database.reading() as session:
            rows = await SubscriptionRepository(session).of_user(self.user_id, NAME)
        wanted = [row for row in rows if self.chosen in {None, row.id} and (without_access or row.status not in ENDED)]
        if not wanted:
            raise NotSubscribedError

        def precedence(row: Subscription) -> tuple[bool, bool, int]:
            rank = catalog.highest(() if row.plan is None else (row.plan,)).rank
            return row.status not in ENDED, row.status is SubscriptionStatus.REFUNDED, rank

        return max(wanted, key=precedence)

    async def _current(self, row: Subscription) -> wire.Subscription:
        current = await self._api.subscription(row.provider_id)
        if current is None or current.status in {"canceled", "incomplete_expired"}:
            await converge(self.runtime, self.runtime.resource(StripeProvider), row.provider_id)
            raise NotSubscribedError
        return current

    def _is_cancelled(self, current: wire.Subscription) -> bool:
        item, _ = self._prices.best_item(current.items.data)
        return ends_with_period(current, item)

    def _item(self, current: wire.Subscription) -> wire.Item:
        item, _ = self._prices.best_item(current.items.data)
        if item is None:
            raise NotSubscribedError
        return item

    async def _record(self, action: str, row: Subscription, **details: str) -> None:
        """Store the new state at once, and record who asked for it."""
        await converge(self.runtime, self.runtime.resource(StripeProvider), row.provider_id)
        entry = AuditEntry(
            actor_id=self.actor.id,
            action=action,
            target_type="subscription",
            target_id=str(row.id),
            client=self.actor.client,
            details=details,
        )
        async with self.runtime.database.transaction() as session:
            await self.runtime.audit.record(session, entry)

    @property
    def _api(self) -> StripeApi:
        return self.runtime.resource(StripeApi)

    @property
    def _prices(self) -> StripePrices:
        return self.runtime.resource(StripePrices)
