"""Linking a subscription to the user who has a proof of its purchase."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.errors import BillingUnavailableError, SubscriptionTakenError
from app.payments.models import Subscription
from app.payments.port import BillingProvider, ProviderUnavailableError, SubscriptionStatus
from app.payments.repository import SubscriptionRepository
from app.payments.store import assign


class LinkedSubscription(BaseModel):
    """A subscription of an app store that belongs to the current user.

    Attributes:
        plan: `null` if no plan of this server contains the product.
        access_until: the end of access, if it is known. `null`: the subscription gives no access.
        sandbox: whether no real money is involved. In production, such a subscription gives no access.
    """

    model_config = ConfigDict(from_attributes=True)

    provider: str
    product: str | None
    plan: str | None
    status: SubscriptionStatus
    access_until: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    sandbox: bool


async def link_subscription(
    runtime: Runtime, provider: BillingProvider, provider_id: str, user_id: UUID
) -> Subscription:
    """Fetch a subscription, store it, and assign it to the user if it has no user yet.

    The caller has verified the proof of the purchase. If the provider names a user, that user takes precedence.

    Raises:
        SubscriptionTakenError: it belongs to another user.
        NotFoundError: the provider has no such subscription.
        BillingUnavailableError: the provider doesn't answer.
    """
    try:
        stored = await converge(runtime, provider, provider_id)
    except ProviderUnavailableError as error:
        raise BillingUnavailableError from error
    if stored is None:
        raise NotFoundError("Purchase")
    async with runtime.database.transaction() as session:
        row = await SubscriptionRepository(session).find(provider.name, provider_id, lock=True)
        if row is None:
            raise NotFoundError("Purchase")
        if row.user_id is None:
            await assign(runtime, session, row, user_id)
        elif row.user_id != user_id:
            raise SubscriptionTakenError
    return row
