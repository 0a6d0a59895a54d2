"""Linking a subscription to the user who has a proof of its purchase."""

from uuid import UUID

from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.errors import BillingUnavailableError, SubscriptionTakenError
from app.payments.models import Subscription
from app.payments.port import BillingProvider, ProviderUnavailableError
from app.payments.repository import SubscriptionRepository
from app.payments.store import assign


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
