"""Acknowledgement: the statement to Google that the buyer has received what they paid for.

See https://developer.android.com/google/play/billing/lifecycle/subscriptions#acknowledge.
"""

import structlog

from app.core.runtime import Runtime
from app.google_iap.api import GooglePlayApi
from app.google_iap.purchases import Unacknowledged, acknowledged
from app.google_iap.snapshot import NOT_BOUGHT, account_of
from app.google_iap.wire import SubscriptionPurchase

logger = structlog.stdlib.get_logger(__name__)


async def acknowledge(
    runtime: Runtime, api: GooglePlayApi, purchase: Unacknowledged, found: SubscriptionPurchase | None
) -> None:
    """Acknowledge a purchase, if that is still necessary, and store that it is done.

    Args:
        found: what Google Play says of it now.

    Raises:
        ProviderUnavailableError: Google Play does not answer, or refuses.
    """
    if found is not None and found.needs_acknowledgement and found.subscription_state not in NOT_BOUGHT:
        # Only a purchase outside the app, which names no user, may be given one.
        is_nameless = found.out_of_app_purchase_context is not None and account_of(found) is None
        account = str(purchase.user_id) if is_nameless else None
        await api.acknowledge(purchase.token, found.line_items[0].product_id, account)
        logger.info("google_purchase_acknowledged", id=purchase.token_id)
    await acknowledged(runtime, purchase.token_id)
