"""Routes for the current user's billing at Stripe."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.core.context import Actor
from app.core.http.dependencies import ActorDep, RuntimeDep
from app.core.http.rate_limit import RateLimit
from app.core.runtime import Runtime
from app.stripe.api import StripeApi, answering
from app.stripe.checkout import Checkout
from app.stripe.customers import customer_of
from app.stripe.portal import portal_url
from app.stripe.return_urls import check_return_url
from app.stripe.schemas import (
    BillingStatus,
    ChangePreview,
    CheckoutCreate,
    CheckoutRead,
    InvoicePage,
    InvoiceRead,
    PlanChange,
    PortalRead,
    ReturnUrl,
    SubscriptionChoice,
    WantedChange,
)
from app.stripe.service import UserSubscription, billing_status
from app.users.caller import Caller
from app.users.dependencies import CurrentUser, private

RATE = RateLimit("30/minute", name="billing")
"""Each request makes several calls to Stripe, which limits them per account."""

router = APIRouter(prefix="/billing", dependencies=[Depends(private), Depends(RATE)])

SessionId = Annotated[str, Path(pattern=r"^cs_[A-Za-z0-9_]{1,250}$")]


@router.get("/status")
async def get_billing_status(runtime: RuntimeDep, user: CurrentUser) -> BillingStatus:
    """Get the current user's plan and subscriptions, from every provider."""
    return await billing_status(runtime, user.id)


@router.post("/checkout")
async def create_checkout(runtime: RuntimeDep, user: CurrentUser, data: CheckoutCreate) -> CheckoutRead:
    """Create a session of Stripe Checkout.

    Send the user to `url`. Afterwards, Stripe sends the user to `success_url`, with the session's id as `session_id`. A
    repeated request returns the same session while it is open.
    """
    session = await answering(Checkout(runtime, user.id).start(data))
    return CheckoutRead(session_id=session.id, url=session.url or "")


@router.post("/checkout/{session_id}/sync")
async def sync_checkout(runtime: RuntimeDep, user: CurrentUser, session_id: SessionId) -> BillingStatus:
    """Apply a completed checkout at once, without waiting for the webhook. Call it on the success page."""
    await answering(Checkout(runtime, user.id).finish(session_id))
    return await billing_status(runtime, user.id)


@router.get("/portal")
async def get_portal(
    runtime: RuntimeDep, user: CurrentUser, return_url: Annotated[ReturnUrl | None, Query()] = None
) -> PortalRead:
    """Get a link to the customer portal, where the user manages payment methods and invoices. It expires soon."""
    url = check_return_url(runtime.settings, return_url or runtime.settings.PUBLIC_URL)
    return PortalRead(url=await answering(portal_url(runtime, user.id, return_url=url)))


@router.get("/invoices")
async def list_invoices(
    runtime: RuntimeDep,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(pattern=r"^in_[A-Za-z0-9_]{1,250}$")] = None,
) -> InvoicePage:
    """List the current user's invoices, newest first."""
    customer = await customer_of(runtime, user.id)
    if customer is None:
        return InvoicePage(items=[], next=None)
    found, more = await answering(runtime.resource(StripeApi).invoices(customer, limit=limit, after=after))
    return InvoicePage(
        items=[InvoiceRead.model_validate(invoice) for invoice in found], next=found[-1].id if more and found else None
    )


@router.post("/cancel")
async def cancel_subscription(
    runtime: RuntimeDep, user: CurrentUser, actor: ActorDep, data: SubscriptionChoice | None = None
) -> BillingStatus:
    """Cancel the subscription at the end of the paid period. Access lasts until then."""
    await answering(_subscription(runtime, user, actor, data).cancel())
    return await billing_status(runtime, user.id)


@router.post("/resume")
async def resume_subscription(
    runtime: RuntimeDep, user: CurrentUser, actor: ActorDep, data: SubscriptionChoice | None = None
) -> BillingStatus:
    """Undo the cancellation of a subscription that has not ended, or end its pause."""
    await answering(_subscription(runtime, user, actor, data).resume())
    return await billing_status(runtime, user.id)


@router.get("/change")
async def preview_change(
    runtime: RuntimeDep, user: CurrentUser, actor: ActorDep, wanted: Annotated[WantedChange, Query()]
) -> ChangePreview:
    """Preview a change of plan, interval or seats: the amount that is due now.

    Send `proration_date` with the change within an hour, so that it costs the same.
    """
    return await answering(_subscription(runtime, user, actor, wanted).preview(wanted))


@router.post("/change")
async def change_plan(runtime: RuntimeDep, user: CurrentUser, actor: ActorDep, data: PlanChange) -> BillingStatus:
    """Change the plan, the interval or the seats, and pay the difference at once.

    If the payment is declined, nothing changes.
    """
    await answering(_subscription(runtime, user, actor, data).change(data))
    return await billing_status(runtime, user.id)


def _subscription(runtime: Runtime, user: Caller, actor: Actor, choice: SubscriptionChoice | None) -> UserSubscription:
    return UserSubscription(runtime, user.id, actor, None if choice is None else choice.subscription_id)
