"""Stripe: checkout, the customer portal, changes of plan, invoices and the webhook."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.core.manifest import Module, Subscriber
from app.core.runtime import Runtime
from app.payments.port import BillingProviders
from app.plans.catalog import PlanCatalog
from app.stripe.api import StripeApi
from app.stripe.checkout import close_checkouts
from app.stripe.commands import billing
from app.stripe.data_policy import PERSONAL_DATA
from app.stripe.models import StripeCustomer
from app.stripe.prices import StripePrices
from app.stripe.provider import StripeProvider
from app.stripe.public_routes import router as public_router
from app.stripe.routes import router
from app.stripe.settings import StripeSettings
from app.stripe.setup import StripeSetup
from app.stripe.subscribers import on_email_changed
from app.stripe.webhook import apply_stripe_event
from app.users.events import EmailChanged


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(StripeSettings)
    api = StripeApi(settings)
    prices = StripePrices(api, runtime.resource(PlanCatalog), settings)
    provider = StripeProvider(api, prices, timedelta(days=settings.STRIPE_GRACE_DAYS))
    runtime.provide(StripeApi, api)
    runtime.provide(StripePrices, prices)
    runtime.provide(StripeProvider, provider)
    runtime.provide(StripeSetup, StripeSetup())
    runtime.resource(BillingProviders).add(provider)
    try:
        yield
    finally:
        await api.close()


module = Module(
    name="stripe",
    models=(StripeCustomer,),
    router=router,
    # Those who have used up their quota must be able to pay.
    unmetered=True,
    public_router=public_router,
    settings=(StripeSettings,),
    inbox_jobs=(apply_stripe_event,),
    subscribers=(Subscriber(EmailChanged, on_email_changed),),
    lifespan=_lifespan,
    commands=(billing,),
    before_erasure=(close_checkouts,),
    personal_data=PERSONAL_DATA,
)
