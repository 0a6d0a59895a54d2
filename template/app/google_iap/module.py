"""Subscriptions that are sold in Google Play."""

from app.core.manifest import Cron, Module
from app.google_iap.commands import billing
from app.google_iap.data_policy import RETENTION
from app.google_iap.google_play import connect
from app.google_iap.google_webhook import apply_google_notification
from app.google_iap.google_webhook import router as public_router
from app.google_iap.jobs import (
    acknowledge_google_purchase,
    acknowledge_google_purchases,
    poll_voided_google_purchases,
)
from app.google_iap.models import GooglePurchase, GoogleVoidedOrder
from app.google_iap.routes import router
from app.google_iap.settings import GooglePlaySettings

module = Module(
    name="google_iap",
    models=(GooglePurchase, GoogleVoidedOrder),
    router=router,
    public_router=public_router,
    settings=(GooglePlaySettings,),
    inbox_jobs=(apply_google_notification,),
    jobs=(acknowledge_google_purchase, acknowledge_google_purchases, poll_voided_google_purchases),
    crons=(
        Cron(function=acknowledge_google_purchases, minute=23),
        Cron(function=poll_voided_google_purchases, hour=2, minute=37),
    ),
    lifespan=connect,
    commands=(billing,),
    retention=RETENTION,
    unmetered=True,
)
