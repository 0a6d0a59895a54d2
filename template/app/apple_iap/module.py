"""Apple's in-app purchases: subscriptions that are sold in the App Store."""

from app.apple_iap.app_store import connect
from app.apple_iap.apple_webhook import apply_apple_notification
from app.apple_iap.apple_webhook import router as public_router
from app.apple_iap.commands import billing
from app.apple_iap.jobs import recover_apple_notifications
from app.apple_iap.routes import router
from app.apple_iap.settings import AppleSettings
from app.core.manifest import Cron, Module

module = Module(
    name="apple_iap",
    router=router,
    public_router=public_router,
    settings=(AppleSettings,),
    inbox_jobs=(apply_apple_notification,),
    jobs=(recover_apple_notifications,),
    crons=(Cron(function=recover_apple_notifications, hour=2, minute=47),),
    lifespan=connect,
    commands=(billing,),
    unmetered=True,
)
