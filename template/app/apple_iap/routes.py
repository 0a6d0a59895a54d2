"""The route that links a purchase in the App Store to the current user."""

from fastapi import APIRouter, Depends

from app.apple_iap.dependencies import AppStoreDep
from app.apple_iap.errors import NotASubscriptionError
from app.apple_iap.schemas import PurchaseLink
from app.core.http.dependencies import RuntimeDep
from app.core.http.rate_limit import RateLimit
from app.payments.linking import LinkedSubscription, link_subscription
from app.users.dependencies import CurrentUser, private

SUBSCRIPTION = "Auto-Renewable Subscription"

router = APIRouter(prefix="/billing/apple", dependencies=[Depends(private)])


@router.post("/link", dependencies=[Depends(RateLimit("30/minute", name="apple_link"))])
async def link_purchase(
    app_store: AppStoreDep, runtime: RuntimeDep, user: CurrentUser, data: PurchaseLink
) -> LinkedSubscription:
    """Link a purchase in the App Store to the current user.

    Call it after each purchase and when the user restores purchases. It may be repeated. The purchase belongs to the
    user whom its `appAccountToken` names, else to the first who links it.
    """
    transaction = await app_store.verifier.transaction(data.signed_transaction)
    if transaction.rawType != SUBSCRIPTION or not transaction.originalTransactionId:
        raise NotASubscriptionError
    linked = await link_subscription(runtime, app_store.provider, transaction.originalTransactionId, user.id)
    return LinkedSubscription.model_validate(linked)
