"""Usage-based billing: a ledger of usage, sent to Stripe's meters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Cron, Module
from app.core.runtime import Runtime
from app.stripe.prices import StripePrices
from app.stripe.setup import StripeSetup
from app.usage_billing.admin_routes import VIEWS
from app.usage_billing.admin_routes import router as admin_router
from app.usage_billing.commands import billing
from app.usage_billing.data_policy import FIGURES, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.usage_billing.jobs import reconcile_usage
from app.usage_billing.meters import Meters
from app.usage_billing.models import MeterErrorReport, UsageRecord
from app.usage_billing.public_routes import router as public_router
from app.usage_billing.recorder import UsageLedger
from app.usage_billing.sender import send_before_erasure, sending
from app.usage_billing.settings import UsageBillingSettings
from app.usage_billing.setup import error_reports, meters_and_prices
from app.usage_billing.webhook import apply_meter_error_report


def _set_up(runtime: Runtime) -> None:
    runtime.provide(Meters, Meters.load())


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    meters = runtime.resource(Meters)
    for price in meters.prices:
        runtime.resource(StripePrices).add_metered(price.key, price.interval)
    runtime.resource(StripeSetup).steps += [meters_and_prices, error_reports]
    with runtime.override(usage=UsageLedger(meters)):
        yield


module = Module(
    name="usage_billing",
    models=(UsageRecord, MeterErrorReport),
    admin_router=admin_router,
    public_router=public_router,
    settings=(UsageBillingSettings,),
    inbox_jobs=(apply_meter_error_report,),
    jobs=(reconcile_usage,),
    crons=(Cron(function=reconcile_usage, hour=4, minute=29),),
    setup=_set_up,
    lifespan=_lifespan,
    background=sending,
    before_erasure=(send_before_erasure,),
    commands=(billing,),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    admin_views=VIEWS,
)
