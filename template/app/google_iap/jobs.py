"""Jobs of Google Play: acknowledgements and voided purchases."""

from datetime import timedelta
from typing import Final

import structlog

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.google_iap.acknowledgement import acknowledge
from app.google_iap.google_play import GooglePlay
from app.google_iap.models import id_of
from app.google_iap.purchases import Unacknowledged, is_known, unacknowledged, void_order
from app.google_iap.settings import GooglePlaySettings
from app.payments.convergence import converge
from app.payments.errors import ConcurrentChangeError
from app.payments.port import ProviderUnavailableError

logger = structlog.stdlib.get_logger(__name__)

LOOK_BACK: Final = timedelta(days=29)
"""Google Play lists the orders that were voided within the last 30 days."""


async def acknowledge_google_purchase(runtime: Runtime, token_id: str) -> None:
    """Acknowledge a purchase that gives a user a plan. Google refunds it unless that happens within three days."""
    if not runtime.resource(GooglePlaySettings).is_configured:
        return
    for purchase in await unacknowledged(runtime, token_id):
        await _acknowledge(runtime, purchase)


async def acknowledge_google_purchases(runtime: Runtime) -> dict[str, int]:
    """Acknowledge every purchase whose acknowledgement has not succeeded yet.

    Returns:
        The number of purchases that were acknowledged, and of those that could not be.
    """
    outcome = {"acknowledged": 0, "failed": 0}
    if not runtime.resource(GooglePlaySettings).is_configured:
        return outcome
    for purchase in await unacknowledged(runtime):
        try:
            await _acknowledge(runtime, purchase)
        except ProviderUnavailableError as error:
            outcome["failed"] += 1
            logger.warning("google_acknowledgement_failed", id=purchase.token_id, reason=str(error))
        else:
            outcome["acknowledged"] += 1
    return outcome


async def _acknowledge(runtime: Runtime, purchase: Unacknowledged) -> None:
    api = runtime.resource(GooglePlay).api
    await acknowledge(runtime, api, purchase, await api.subscription(purchase.token))


async def poll_voided_google_purchases(runtime: Runtime) -> dict[str, int]:
    """Fetch the orders that were refunded, charged back or revoked, and end the access that they paid for.

    Returns:
        The number of new orders, and of subscriptions that could not be updated, which the daily reconciliation
        repairs.

    Raises:
        ProviderUnavailableError: Google Play does not answer.
    """
    outcome = {"voided": 0, "failed": 0}
    if not runtime.resource(GooglePlaySettings).is_configured:
        return outcome
    google_play = runtime.resource(GooglePlay)
    async for voided in google_play.api.voided(utc_now() - LOOK_BACK):
        token_id = id_of(voided.purchase_token)
        # Other orders are one-time products, or of unknown purchases, which give no access.
        if not await is_known(runtime, token_id) or not await void_order(runtime, token_id, voided.order_id):
            continue
        outcome["voided"] += 1
        try:
            await converge(runtime, google_play.provider, token_id)
        except (ProviderUnavailableError, ConcurrentChangeError) as error:
            outcome["failed"] += 1
            logger.warning("google_voided_purchase_not_updated", id=token_id, reason=str(error))
    if any(outcome.values()):
        logger.warning("google_purchases_voided", **outcome)
    return outcome
