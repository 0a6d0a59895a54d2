"""Payments: the subscriptions of every payment provider, and the plans that follow from them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.payments.models import BillingNotice, Subscription
from app.payments.port import BillingProviders


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    runtime.provide(BillingProviders, BillingProviders())
    yield


module = Module(name="payments", models=(Subscription, BillingNotice), lifespan=_lifespan)
