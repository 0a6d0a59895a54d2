"""Events about subscriptions."""

from uuid import UUID

from app.core.ports.events import Event
from app.payments.port import SubscriptionStatus


class SubscriptionChanged(Event):
    """A user's subscription is new, or its plan, status or user changed.

    Attributes:
        old_plan: the user's plan before the change, from all of the user's subscriptions.
        new_plan: the user's plan after the change.
        status: the status of the subscription that changed.
    """

    user_id: UUID
    old_plan: str
    new_plan: str
    status: SubscriptionStatus
