"""Notices to users about their subscriptions. Each is sent once, because its key is stored with the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.ports.events import UserNotice
from app.core.runtime import Runtime
from app.payments.models import BillingNotice, Subscription
from app.payments.port import Notice, NoticeKind, SubscriptionStatus
from app.plans.catalog import PlanCatalog

TRIAL_REMINDER: Final = timedelta(days=3)
"""The time before the end of a trial at which its reminder is sent."""
RECENT: Final = timedelta(days=7)
"""The maximum age of an event that causes a notice. The first reconciliation would otherwise send hundreds."""

TEXTS: Final = {
    NoticeKind.TRIAL_ENDS: (
        "Your trial ends soon",
        "Your trial of {plan} ends {trial_end}. {due}",
        "Manage subscription",
    ),
    NoticeKind.PAYMENT_FAILED: (
        "Your payment failed",
        "We could not collect the payment for {plan}. We will try again.\n\n{until}{check}",
        "Pay now",
    ),
    NoticeKind.ACTION_REQUIRED: (
        "Confirm your payment",
        "Your bank asks you to confirm the payment for {plan}. Until you do, the payment is not complete.",
        "Confirm payment",
    ),
    NoticeKind.CARD_EXPIRES: (
        "Your card expires soon",
        "The card that pays for {plan} expires {detail}. Replace it before the next payment.",
        "Update card",
    ),
    NoticeKind.RECEIPT: (
        "Your receipt from {project}",
        "Thank you. We received your payment of {detail}.",
        "View receipt",
    ),
    NoticeKind.PLAN_CHANGED: ("Your plan is now {plan}", "Your subscription was changed to {plan}.", "View plan"),
    NoticeKind.ENDED: (
        "Your subscription has ended",
        "Your subscription has ended. You now have the plan {default}, and keep your data.",
        "View plans",
    ),
}
"""For each kind: the title, the text and the label of the button."""

_ENDED: Final = frozenset({SubscriptionStatus.EXPIRED, SubscriptionStatus.REFUNDED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of a subscription.

    Attributes:
        row: the subscription after the change.
        old_status: its status before; `None` if it is new.
        old_plan: its plan before, if it had the same user.
        had_access: whether it gave access before.
        keeps_plan: whether its user has another plan than the default one after the change.
    """

    row: Subscription
    old_status: SubscriptionStatus | None
    old_plan: str | None
    had_access: bool
    keeps_plan: bool


async def send_notices(runtime: Runtime, session: AsyncSession, change: Change, given: Sequence[Notice]) -> None:
    """Send the notices that follow from a change, and those that the provider's data requires."""
    if change.row.user_id is None:
        return
    # The provider's notices come first: they may have a link, and of two with the same key the first is sent.
    for notice in (*given, *_implied(change, utc_now())):
        await send_notice(runtime, session, change.row, change.row.user_id, notice)


async def send_notice(
    runtime: Runtime, session: AsyncSession, row: Subscription, user_id: UUID, notice: Notice
) -> bool:
    """Send a notice to a user after the commit, unless its key was used before. Return whether it is sent."""
    key = f"{notice.kind.value}/{row.provider}/{notice.key}"
    now = utc_now()
    values = {"id": uuid7(), "created_at": now, "updated_at": now, "key": key, "user_id": user_id}
    if not await insert_if_absent(session, BillingNotice, values, unique=("key",)):
        return False
    title, text, label = _text(runtime, row, notice)
    message = UserNotice(
        user_id=user_id, key=f"billing/{key}", title=title, text=text, url=notice.url, label=notice.url and label
    )
    await runtime.events.publish(session, message)
    return True


def _implied(change: Change, now: datetime) -> list[Notice]:
    """Return the notices that follow from the change of the subscription itself."""
    row, id_ = change.row, change.row.provider_id
    notices = []
    ends = row.trial_end if row.status is SubscriptionStatus.TRIALING else None
    if ends is not None and now < ends <= now + TRIAL_REMINDER:
        notices.append(Notice(kind=NoticeKind.TRIAL_ENDS, key=occasion(id_, ends)))
    if row.status is SubscriptionStatus.PAST_DUE:
        notices.append(Notice(kind=NoticeKind.PAYMENT_FAILED, key=occasion(id_, row.period_start)))
    if change.old_plan is not None and row.plan is not None and row.plan != change.old_plan:
        notices.append(Notice(kind=NoticeKind.PLAN_CHANGED, key=f"{id_}/{row.version}/{row.plan}"))
    has_ended = row.status in _ENDED and change.old_status is not None and change.old_status not in _ENDED
    # Another subscription may have replaced this one: the notice names the default plan.
    if has_ended and not change.keeps_plan:
        notices.append(Notice(kind=NoticeKind.ENDED, key=occasion(id_, row.period_end)))
    return notices


def occasion(provider_id: str, at: datetime | None) -> str:
    """Return the key of a notice that a subscription causes at most once for each date."""
    return f"{provider_id}/{'' if at is None else f'{at:%Y-%m-%d}'}"


def _date(at: datetime | None) -> str:
    return "soon" if at is None else f"on {at.day} {at:%B %Y}"


def _text(runtime: Runtime, row: Subscription, notice: Notice) -> tuple[str, str, str]:
    """Return the title, the text and the label of the button."""
    catalog = runtime.resource(PlanCatalog)
    plan = catalog.highest(() if row.plan is None else (row.plan,)).title
    due = (
        "You cancelled it, so nothing will be charged."
        if row.cancel_at_period_end
        else "Your first payment is then due."
    )
    facts = {
        "project": runtime.settings.PROJECT_NAME,
        "plan": plan,
        "default": catalog.default.title,
        "detail": notice.detail or "",
        "trial_end": _date(row.trial_end),
        "due": due,
        "check": "Check your payment method to keep your subscription.",
        "until": f"You keep {plan} until then: {_date(row.grace_end)}.\n\n" if row.grace_end else "",
    }
    title, text, label = TEXTS[notice.kind]
    return title.format(**facts), text.format(**facts), label
