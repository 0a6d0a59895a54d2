"""The App Store as a payment provider."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from app.apple_iap.api import AppStoreApi
from app.apple_iap.errors import VerificationUnavailableError
from app.apple_iap.snapshot import PROVIDER, snapshot_of
from app.apple_iap.verification import AppStoreVerifier
from app.core.db.models import utc_now
from app.core.errors import AppError
from app.core.runtime import Runtime
from app.payments.port import ProviderUnavailableError, SubscriptionSnapshot
from app.plans.catalog import PlanCatalog

if TYPE_CHECKING:
    from app.payments.models import Subscription

logger = structlog.stdlib.get_logger(__name__)


class AppleProvider:
    """Subscriptions in the App Store. Their ids are the original transaction ids."""

    name = PROVIDER

    def __init__(self, verifier: AppStoreVerifier, api: AppStoreApi) -> None:
        self._verifier = verifier
        self._api = api

    async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:
        """See `BillingProvider.fetch`."""
        taken_at = utc_now()
        item = await self._api.subscription(provider_id)
        if item is None:
            return None
        try:
            transaction = await self._verifier.transaction(item.signed_transaction)
            signed = item.signed_renewal_info
            renewal = None if signed is None else await self._verifier.renewal_info(signed)
        except VerificationUnavailableError as error:
            raise ProviderUnavailableError("Apple's certificate status service does not answer.") from error
        except AppError as error:
            raise ProviderUnavailableError(f"The App Store Server API sent invalid data: {error.code}.") from error
        plan = runtime.resource(PlanCatalog).for_product(transaction.productId or "")
        return snapshot_of(
            item.status,
            transaction,
            renewal,
            plan=None if plan is None else plan.name,
            sandbox=item.sandbox,
            taken_at=taken_at,
        )

    def all_ids(self, runtime: Runtime) -> AsyncIterator[str] | None:  # noqa: ARG002 - the port's signature
        """Return `None`: the App Store cannot list subscriptions."""
        return None

    def ids_of(self, runtime: Runtime, user_id: UUID) -> AsyncIterator[str] | None:  # noqa: ARG002
        """Return `None`: the App Store cannot list a user's subscriptions."""
        return None

    async def end_for_erasure(self, runtime: Runtime, subscription: "Subscription") -> None:  # noqa: ARG002
        """Log that the subscription continues: only its owner can cancel it, in the settings of their device.

        The row is detached from the user. docs/apple-iap.md describes what the app says before it deletes an account.
        """
        logger.warning("app_store_subscription_continues", id=subscription.provider_id)
