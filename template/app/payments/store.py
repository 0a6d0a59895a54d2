"""Write a snapshot to its row, and record the change: events, notices, the audit trail."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.events import SubscriptionChanged
from app.payments.models import Subscription
from app.payments.notices import Change, send_notices
from app.payments.port import SubscriptionSnapshot, SubscriptionStatus
from app.payments.repository import SubscriptionRepository

logger = structlog.stdlib.get_logger(__name__)

COPIED: Final = (
    "customer_id",
    "plan",
    "product",
    "status",
    "access_until",
    "period_start",
    "period_end",
    "cancel_at_period_end",
    "trial_end",
    "grace_end",
    "quantity",
    "sandbox",
)
"""The columns that a snapshot sets, which are also those that a reconciliation compares."""
COMPARED: Final = (*COPIED, "user_id")
ENDED: Final = frozenset({SubscriptionStatus.EXPIRED, SubscriptionStatus.REFUNDED})


async def store_snapshot(
    runtime: Runtime, session: AsyncSession, snapshot: SubscriptionSnapshot, *, expected: int
) -> tuple[Subscription | None, bool]:
    """Write a snapshot, unless the row has changed since the snapshot was requested.

    Args:
        expected: the row's version before the request; 0 if there was no row.

    Returns:
        The row, and whether the snapshot was written.
    """
    subscriptions = SubscriptionRepository(session)
    if expected == 0 and not await _insert(session, snapshot):
        return None, False
    row = await subscriptions.find(snapshot.provider, snapshot.provider_id, lock=True)
    if row is None or row.version != max(expected, 1):
        return row, False
    writer = _Writer(runtime, session, row, is_new=expected == 0)
    owner = await _owner(subscriptions, row, snapshot)
    before = await writer.before(owner)
    for name in COPIED:
        setattr(row, name, getattr(snapshot, name))
    _set_owner(row, snapshot, owner)
    row.taken_at = snapshot.taken_at
    row.version = expected + 1
    if snapshot.plan is None:
        logger.warning("billing_unknown_product", provider=row.provider, product=row.product, id=row.provider_id)
    await writer.after(before, snapshot)
    return row, True


async def end_missing(
    runtime: Runtime, session: AsyncSession, provider: str, provider_id: str, *, expected: int
) -> tuple[Subscription | None, bool]:
    """End a stored subscription that its provider doesn't have. The result is that of `store_snapshot`."""
    row = await SubscriptionRepository(session).find(provider, provider_id, lock=True)
    if row is None or row.version != expected:
        return row, row is None and expected == 0
    writer = _Writer(runtime, session, row)
    before = await writer.before(row.user_id)
    row.status, row.access_until, row.taken_at = SubscriptionStatus.EXPIRED, None, utc_now()
    row.version += 1
    await writer.after(before, None)
    return row, True


async def assign(runtime: Runtime, session: AsyncSession, row: Subscription, user_id: UUID) -> None:
    """Assign a parked subscription to a user. The caller has locked the row."""
    writer = _Writer(runtime, session, row)
    before = await writer.before(user_id)
    row.user_id, row.claimed_user_id, row.claimed_email = user_id, None, None
    row.version += 1
    await writer.after(before, None)


async def _insert(session: AsyncSession, snapshot: SubscriptionSnapshot) -> bool:
    """Insert a row without access, which the same transaction then fills. Return whether the row is new."""
    now = utc_now()
    values = {
        "id": uuid7(),
        "created_at": now,
        "updated_at": now,
        "provider": snapshot.provider,
        "provider_id": snapshot.provider_id,
        "status": SubscriptionStatus.PENDING,
        "cancel_at_period_end": False,
        "quantity": snapshot.quantity,
        "sandbox": snapshot.sandbox,
        "taken_at": snapshot.taken_at,
        "version": 1,
    }
    return await insert_if_absent(session, Subscription, values, unique=("provider", "provider_id"))


async def _owner(
    subscriptions: SubscriptionRepository, row: Subscription, snapshot: SubscriptionSnapshot
) -> UUID | None:
    """Return the user of a subscription: the user whom the provider names, the current user, or the user by address."""
    if snapshot.user_id is not None:
        # If the named user doesn't exist (any more), keep the current one: the buyer may have linked a new account.
        return snapshot.user_id if await subscriptions.user_exists(snapshot.user_id) else row.user_id
    if row.user_id is not None or snapshot.email is None or snapshot.status in ENDED:
        return row.user_id
    return await subscriptions.user_of_email(snapshot.email)


def _set_owner(row: Subscription, snapshot: SubscriptionSnapshot, owner: UUID | None) -> None:
    row.user_id = owner
    # Don't store claims of a subscription that has ended, so that no address of an erased user is stored.
    parked = owner is None and snapshot.status not in ENDED
    row.claimed_user_id = snapshot.user_id if parked else None
    row.claimed_email = snapshot.email.lower() if parked and snapshot.email else None


@dataclass(frozen=True, slots=True)
class _Before:
    """The state before a change.

    Attributes:
        plans: the plan of each user whom the change may affect.
    """

    status: SubscriptionStatus
    plan: str | None
    user_id: UUID | None
    had_access: bool
    plans: dict[UUID, str]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Records a change of a subscription: publishes events, sends notices and writes to the audit trail."""

    runtime: Runtime
    session: AsyncSession
    row: Subscription
    is_new: bool = False

    async def before(self, new_owner: UUID | None) -> _Before:
        """Return the state before the change."""
        row, now = self.row, utc_now()
        users = {user for user in (row.user_id, new_owner) if user is not None}
        entitlements = self.runtime.resource(SubscriptionEntitlements)
        return _Before(
            status=row.status,
            plan=row.plan,
            user_id=row.user_id,
            had_access=row.access_until is not None and row.access_until > now,
            plans={user: await entitlements.plan_of(self.session, user, now) for user in users},
        )

    async def after(self, before: _Before, snapshot: SubscriptionSnapshot | None) -> None:
        """Write the row and record the change."""
        row = self.row
        await self.session.flush()
        changed = self.is_new or (row.status, row.plan, row.user_id) != (before.status, before.plan, before.user_id)
        entitlements = self.runtime.resource(SubscriptionEntitlements)
        keeps_plan = False
        for user, old_plan in before.plans.items():
            new_plan = await entitlements.plan_of(self.session, user, utc_now())
            if user == row.user_id:
                keeps_plan = new_plan != entitlements.catalog.default.name
            if changed or new_plan != old_plan:
                event = SubscriptionChanged(user_id=user, old_plan=old_plan, new_plan=new_plan, status=row.status)
                await self.runtime.events.publish(self.session, event)
        if changed:
            await self._audit(before)
        change = Change(
            row=row,
            old_status=None if self.is_new else before.status,
            old_plan=before.plan if before.user_id == row.user_id else None,
            had_access=before.had_access,
            keeps_plan=keeps_plan,
        )
        await send_notices(self.runtime, self.session, change, () if snapshot is None else snapshot.notices)

    async def _audit(self, before: _Before) -> None:
        row = self.row
        details = {
            "provider": row.provider,
            "status_before": "" if self.is_new else before.status.value,
            "status_after": row.status.value,
            "plan_before": before.plan or "",
            "plan_after": row.plan or "",
            "user_before": str(before.user_id or ""),
            "user_after": str(row.user_id or ""),
        }
        entry = AuditEntry(
            actor_id=None,
            action="subscription.changed",
            target_type="subscription",
            target_id=str(row.id),
            details=details,
        )
        await self.runtime.audit.record(self.session, entry)
