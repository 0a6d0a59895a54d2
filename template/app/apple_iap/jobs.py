"""Jobs of Apple's in-app purchases."""

from datetime import timedelta
from typing import Final

import structlog

from app.apple_iap.app_store import AppStore
from app.apple_iap.apple_webhook import store_notification
from app.apple_iap.settings import AppleSettings
from app.core.db.models import utc_now
from app.core.errors import BadRequestError
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

LOOK_BACK: Final = timedelta(days=3)
"""The App Store retries a notification for three days. The job runs daily, so that two runs may fail."""


async def recover_apple_notifications(runtime: Runtime) -> dict[str, int]:
    """Fetch the notifications that did not reach this server, from the App Store's history.

    Reconciliation cannot find a purchase whose only notification was lost, since the App Store lists no subscriptions.

    Returns:
        The number of notifications that were recovered, and of those that could not be verified.
    """
    outcome = {"recovered": 0, "refused": 0}
    if not runtime.resource(AppleSettings).is_configured:
        return outcome
    app_store = runtime.resource(AppStore)
    async for signed in app_store.api.failed_notifications(utc_now() - LOOK_BACK):
        try:
            outcome["recovered"] += await store_notification(runtime, app_store, signed)
        except BadRequestError:
            outcome["refused"] += 1
    if any(outcome.values()):
        logger.warning("apple_notifications_recovered", **outcome)
    return outcome
