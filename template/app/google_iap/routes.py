"""The route that links a purchase in Google Play to the current user."""

from fastapi import APIRouter, Depends

from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep
from app.core.http.rate_limit import RateLimit
from app.core.runtime import Runtime
from app.google_iap.convergence import finish_purchase
from app.google_iap.dependencies import GooglePlayDep
from app.google_iap.google_play import GooglePlay
from app.google_iap.models import id_of
from app.google_iap.purchases import is_known, remember_token
from app.google_iap.schemas import GooglePurchaseLink
from app.payments.errors import BillingUnavailableError
from app.payments.linking import LinkedSubscription, link_subscription
from app.payments.port import ProviderUnavailableError
from app.users.dependencies import CurrentUser, private

router = APIRouter(prefix="/billing/google", dependencies=[Depends(private)])


@router.post("/link", dependencies=[Depends(RateLimit("30/minute", name="google_link"))])
async def link_google_purchase(
    google_play: GooglePlayDep, runtime: RuntimeDep, user: CurrentUser, data: GooglePurchaseLink
) -> LinkedSubscription:
    """Link a purchase in Google Play to the current user.

    Call it after each purchase and when the app starts. It may be repeated. The purchase belongs to the user whom its
    `obfuscatedExternalAccountId` names, else to the user of the purchase that it replaces, else to the first who
    links it.
    """
    try:
        token_id = await _known_token(runtime, google_play, data.purchase_token)
        linked = await link_subscription(runtime, google_play.provider, token_id, user.id)
        await finish_purchase(runtime, token_id)
    except ProviderUnavailableError as error:
        raise BillingUnavailableError from error
    return LinkedSubscription.model_validate(linked)


async def _known_token(runtime: Runtime, google_play: GooglePlay, token: str) -> str:
    """Return the id of a purchase token, and store it if Google Play knows it."""
    token_id = id_of(token)
    if not await is_known(runtime, token_id):
        if await google_play.api.subscription(token) is None:
            raise NotFoundError("Purchase")
        await remember_token(runtime, token)
    return token_id
