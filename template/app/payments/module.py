"""Payments: the subscriptions from every payment provider, and the plans that they give users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Cron, Module, Subscriber
from app.core.runtime import Runtime
from app.payments.admin_routes import SUBSCRIPTIONS
from app.payments.admin_routes import router as admin_router
from app.payments.commands import billing
from app.payments.data_policy import PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.erasure import end_subscriptions
from app.payments.figures import FIGURES
from app.payments.jobs import reconcile_subscriptions
from app.payments.models import BillingNotice, Reconciliation, Subscription
from app.payments.port import BillingProviders
from app.payments.subscribers import on_user_created
from app.plans.catalog import PlanCatalog
from app.plans.quotas import PlanQuotas
from app.users.events import UserCreated


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    entitlements = SubscriptionEntitlements(
        catalog=runtime.resource(PlanCatalog), sandbox=not runtime.settings.is_production
    )
    runtime.provide(BillingProviders, BillingProviders())
    runtime.provide(SubscriptionEntitlements, entitlements)
    with runtime.override(plans=PlanQuotas(entitlements.catalog, entitlements)):
        yield


module = Module(
    name="payments",
    models=(Subscription, Reconciliation, BillingNotice),
    admin_router=admin_router,
    jobs=(reconcile_subscriptions,),
    crons=(Cron(function=reconcile_subscriptions, hour=3, minute=17),),
    subscribers=(Subscriber(UserCreated, on_user_created),),
    lifespan=_lifespan,
    commands=(billing,),
    before_erasure=(end_subscriptions,),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    admin_views=(SUBSCRIPTIONS,),
)
