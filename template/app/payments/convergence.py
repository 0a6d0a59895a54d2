"""Convergence: make the stored subscription equal to the provider's, whatever the order of the events.

An event only says which subscription may have changed. `converge` fetches the subscription from the provider and writes
what the provider says. No database connection is held during the request.
"""

from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.port import BillingProvider


async def converge(runtime: Runtime, provider: BillingProvider, provider_id: str) -> Subscription | None:
    """Fetch a subscription and store it. The order, repetition and loss of calls do not matter.

    Call it without an open session: it opens its own transactions.

    Returns:
        The stored subscription; `None` if neither the provider nor the database has it.

    Raises:
        ProviderUnavailableError: the provider doesn't answer. Nothing was changed.
    """
    raise NotImplementedError
